/* SpikeGPT in whole numbers: the interface of the engine, and the tables that it reads.
 *
 * No heap, no floating point, no state outside the memory that the caller gives. Five functions:
 *
 *     dx_text_size    bytes of memory that a text needs, however long it becomes
 *     dx_text_init    start a text
 *     dx_text_push    read tokens, in pieces of any length
 *     dx_text_result  logits and choice of the next token; push it to continue
 *     dx_text_stop    the text has ended
 */
#ifndef DENDRIX_TEXT_H
#define DENDRIX_TEXT_H
#include <stddef.h>
#include <stdint.h>

enum {
  DX_TEXT_OK = 0,
  DX_TEXT_ARGUMENT = -1, /* a null pointer, or memory that is not aligned to 8 bytes */
  DX_TEXT_TOKEN = -2,    /* a token outside the vocabulary; nothing was read */
  DX_TEXT_SPACE = -3,    /* memory smaller than dx_text_size says */
  DX_TEXT_ENDED = -4,    /* tokens after dx_text_stop */
  DX_TEXT_EMPTY = -5     /* dx_text_result before any token */
};

enum { DX_TIME, DX_CHANNEL }; /* kinds of a half of a block */
/* Positions of neurons; separate ones fire behind the mixture that each product reads. */
enum { DX_NEURONS_BEFORE_PRODUCTS, DX_NEURONS_AFTER_HALVES, DX_NO_NEURONS, DX_SEPARATE_NEURONS };

/* One half of a block: places in `weights`, `constants` and the state; unused ones are UINT32_MAX. Matrices with dense inputs are
 * [out][in], those with many zero inputs [in][out]. */
typedef struct {
  uint32_t kind, halve;
  uint32_t key, receptance, value, output;
  uint32_t scalars, norm_weight, norm_bias, mix_key, mix_receptance, mix_value, key_scale, receptance_scale, gated_scale, bonus, rate;
  uint32_t inner_weight, inner_bias, output_scale, after_weight, after_bias, before_gain, inside_gain, after_gain;
  uint32_t shift_at, before_at, inside_at, after_at, average_at, total_at;
} dx_text_half;

typedef struct {
  const int8_t *weights;
  const int16_t *embedding; /* after its norm, [vocabulary][width] */
  const int32_t *constants;
  const dx_text_half *halves;
  const int32_t *sigmoid, *softplus; /* [1281], of minus i / 64, in 30 and 20 fractional bits */
  const uint32_t *powers;            /* [256], 2^(-i / 256) in 30 fractional bits */
  uint32_t head, scalars, norm_weight, norm_bias, head_scale;
  uint32_t state_count, vocabulary;
  uint16_t width, half_count, neurons;
} dx_text_model;

typedef struct {
  const int32_t *logits; /* [vocabulary], times 65,536; valid until the next push */
  uint32_t token;        /* the choice */
  uint32_t steps;        /* tokens that were read */
} dx_text_answer;

size_t dx_text_size(const dx_text_model *model);
/* Temperature in thousandths; 0 always chooses the most likely token. Equal seeds give equal texts on every machine. */
int dx_text_init(void *memory, size_t size, const dx_text_model *model, uint32_t temperature, uint64_t seed);
int dx_text_push(void *memory, const uint16_t *tokens, size_t count);
int dx_text_result(void *memory, dx_text_answer *answer);
int dx_text_stop(void *memory);

#ifdef DX_TRACE
const int32_t *dx_text_state_of(const void *memory); /* [state_count], for tests */
#endif
#endif
