/* Taught words in whole numbers: the interface, and the tables that it reads.
 *
 * A stream runs a network, remembers its spikes, and codes each spoken word when it has ended; a code is compared with those of taught
 * words. No heap, no floating point, no state outside the memory that the caller gives.
 *
 *     dw_size    bytes of memory that a stream needs
 *     dw_init    start a clip, or a stream of speech, from rest
 *     dw_push    samples; returns DW_WORD when a word of a stream has ended
 *     dw_stop    the sound has ended; returns DW_WORD for the word of a clip, and for each one that is left in a stream
 *     dw_code    code of the last word
 *     dw_decide  compare a code with taught words
 *     dw_teach   threshold of a new word from the codes of its clips
 */
#ifndef DENDRIX_WORDS_H
#define DENDRIX_WORDS_H
#include "dendrix.h"

enum {
  DW_WORD = 1,  /* a word: see dw_code */
  DW_LONG = -6, /* a clip longer than the memory of a stream */
  DW_MANY = -7  /* codes whose scores could overflow, or no codes */
};
enum { DW_CLIP, DW_STREAM };

/* A rate of false alarms in a million, and the share of the background that its threshold lets pass, with 30 fractional bits. */
typedef struct {
  uint32_t per_million, share;
} dw_rate;

/* The tables. Offsets count bytes of the memory of a stream; places in frames are 16-bit numbers. */
typedef struct {
  const dx_model *model;
  const int8_t *directions;  /* [rank][features] */
  const int16_t *mean;       /* [features] */
  const uint16_t *gain;      /* [rank] */
  const uint8_t *gain_shift; /* [rank] */
  const dw_rate *rates;
  int32_t least;            /* smallest height of speech above silence, as a level */
  uint32_t share, contrast; /* with 16 fractional bits */
  uint32_t size, levels_at, spikes_at, counts_at, projection_at, scratch_at, code_at, stream_at;
  uint32_t features, active;
  uint16_t rank, memory, tail, step, smoothing, pause, shortest, row; /* row: bytes of the spikes of a frame */
  uint8_t bins, fraction, extra, first, layers, rate_count;           /* first: of the coded layers */
} dw_words;

/* A taught word: codes of its clips one after another, each of features / 4 bytes, rounded up; mean and deviation with 6 fractional bits. */
typedef struct {
  const uint8_t *codes;
  const char *name;
  uint32_t clips, theta, mean, deviation;
} dw_word;

/* Clips that no word should answer to: codes as in a word, and weights with 30 fractional bits. */
typedef struct {
  const uint8_t *codes;
  const uint32_t *weights;
  uint32_t clips;
} dw_background;

typedef struct {
  uint32_t onset, offset; /* first frame of the speech, and the one after the last, from the start of the sound */
  uint32_t words;         /* in a clip; 0 where no speech stands out, and all of it is coded */
} dw_found;

typedef struct {
  int32_t label;    /* index of the word, or -1 for none of them */
  uint32_t nearest; /* the best word, whether or not it reaches its threshold */
  uint32_t score, theta;
} dw_match;

size_t dw_size(const dw_words *words);
int dw_init(void *memory, size_t size, const dw_words *words, uint32_t rate, int mode);
int dw_push(void *memory, const int16_t *samples, size_t count, size_t *taken); /* taken: how many; push the rest again after a word */
int dw_stop(void *memory);
const uint8_t *dw_code(const void *memory, dw_found *found);
void dw_decide(const dw_words *words, const dw_word *taught, size_t count, const uint8_t *code, dw_match *match);
int dw_teach(void *memory, dw_word *word, const dw_background *background, uint32_t share); /* uses the memory of a stream between words */
uint32_t dw_score(const dw_words *words, const dw_word *word, const uint8_t *code);

#ifdef DX_TRACE
int32_t dw_level(const void *memory, uint32_t frame); /* of a frame that is remembered, for tests */
const uint8_t *dw_spikes(const void *memory, uint32_t frame);
#endif
#endif
