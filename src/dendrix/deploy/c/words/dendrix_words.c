/* Taught words in whole numbers. C99; needs stdint.h and string.h alone. Every number equals that of the numpy reference of dendrix. */
#include "dendrix_words.h"
#include "model.h"
#include <string.h>

#ifndef DX_DEBUG
#define DX_DEBUG 0
#endif

enum { LEVEL_BITS = 4, SHARE_BITS = 16, WEIGHT_BITS = 30, MOMENT_BITS = 6, NARROW_BITS = 10, MOST_SPANS = 16, LARGEST_SCORE = 40000 };

typedef struct {
  const dw_words *words;
  uint32_t frames;  /* since the start */
  uint32_t decided; /* the frame up to which words were decided */
  uint32_t silence; /* frames of silence that were run after the end */
  uint16_t filled;  /* samples of the frame that is not complete */
  uint16_t waiting; /* frames since the last look */
  uint8_t mode, ended, coded;
  dw_found found;
} dw_state;

typedef char dw_header_fits[sizeof(dw_state) <= 48 ? 1 : -1];

typedef struct {
  uint32_t onset, offset;
} span;

static void *place(void *memory, uint32_t offset) { return (unsigned char *)memory + offset; }
static const void *placed(const void *memory, uint32_t offset) { return (const unsigned char *)memory + offset; }

static size_t code_bytes(const dw_words *w) { return (2 * (size_t)w->features + 7) / 8; }

/* Square root, rounded down. */
static uint32_t root(uint64_t x) {
  uint64_t found = 0, bit = (uint64_t)1 << 62;
  while (bit > x) bit >>= 2;
  for (; bit; bit >>= 2) {
    if (x >= found + bit) {
      x -= found + bit;
      found = (found >> 1) + bit;
    } else {
      found >>= 1;
    }
  }
  return (uint32_t)found;
}

/* Quotient, rounded down; b > 0. */
static int64_t quotient(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

static int32_t level(const int16_t *frame, unsigned channels) {
  int64_t total = 0;
  uint64_t squares = 0;
  for (unsigned i = 0; i < channels; i++) {
    total += frame[i];
    squares += (uint64_t)((int32_t)frame[i] * frame[i]);
  }
  uint64_t spread = channels * squares - (uint64_t)(total * total);
  return (int32_t)(total * (1 << LEVEL_BITS) + (int64_t)root(spread << 2 * LEVEL_BITS));
}

/* Take over the level and the spikes of the step that the network has just run. */
static void remember(void *memory, int32_t found) {
  dw_state *s = memory;
  const dw_words *w = s->words;
  const void *stream = placed(memory, w->stream_at);
  uint32_t slot = s->frames % w->memory;
  uint8_t *row = (uint8_t *)place(memory, w->spikes_at) + (size_t)slot * w->row;
  ((int32_t *)place(memory, w->levels_at))[slot] = found;
  for (unsigned l = w->first; l < (unsigned)w->first + w->layers; l++) {
    size_t bytes = (w->model->layers[l].outputs + 7u) / 8;
    memcpy(row, dx_spikes(stream, l), bytes);
    row += bytes;
  }
  s->frames++;
}

static uint32_t remembered(const dw_state *s) { return s->frames < s->words->memory ? s->frames : s->words->memory; }

static void sort(int32_t *x, uint32_t count) {
  for (uint32_t gap = count / 2; gap; gap /= 2)
    for (uint32_t i = gap; i < count; i++) {
      int32_t moved = x[i];
      uint32_t j = i;
      for (; j >= gap && x[j - gap] > moved; j -= gap) x[j] = x[j - gap];
      x[j] = moved;
    }
}

/* A percentile, times 100. */
static int64_t percentile(const int32_t *ordered, uint32_t count, uint32_t percent) {
  uint32_t at = percent * (count - 1) / 100, part = percent * (count - 1) % 100;
  return (int64_t)ordered[at] * (100 - (int32_t)part) + (int64_t)ordered[at + 1 < count ? at + 1 : count - 1] * (int32_t)part;
}

/* Words among the first `count` frames in memory, counted from the oldest one; returns their number. */
static uint32_t find_words(void *memory, uint32_t count, span *spans) {
  const dw_state *s = memory;
  const dw_words *w = s->words;
  const int32_t *levels = placed(memory, w->levels_at);
  int32_t *smooth = place(memory, w->scratch_at), *ordered = smooth + count;
  uint32_t first = s->frames - remembered(s), found = 0, width = w->smoothing < count ? w->smoothing : count;
  if (!count) return 0;
  for (uint32_t t = 0; t < count; t++) {
    uint32_t end = t + (width - 1) / 2 + 1, start = end < width ? 0 : end - width;
    int64_t sum = 0;
    if (end > count) end = count;
    for (uint32_t i = start; i < end; i++) sum += levels[(first + i) % w->memory];
    smooth[t] = (int32_t)quotient(sum, end - start);
  }
  memcpy(ordered, smooth, count * sizeof *ordered);
  sort(ordered, count);
  int64_t floor = percentile(ordered, count, 5), peak = percentile(ordered, count, 98);
  int64_t contrast = (w->contrast * peak) >> SHARE_BITS, least = 100 * (int64_t)w->least;
  if (peak - floor < (contrast > least ? contrast : least)) return 0;
  int64_t threshold = floor + ((w->share * (peak - floor)) >> SHARE_BITS);
  span now = {0, 0}; /* the word so far, with pauses that are short enough */
  for (uint32_t t = 0; t <= count; t++) {
    if (t < count && 100 * (int64_t)smooth[t] > threshold) {
      if (now.offset && t - now.offset > w->pause) {
        if (now.offset - now.onset >= w->shortest && found < MOST_SPANS) spans[found++] = now;
        now.offset = 0;
      }
      if (!now.offset) now.onset = t;
      now.offset = t + 1;
    }
  }
  if (now.offset && now.offset - now.onset >= w->shortest && found < MOST_SPANS) spans[found++] = now;
  return found;
}

/* Edge k of bins of equal length, rounded to whole frames, halves up. */
static uint32_t edge(span frames, uint32_t bins, uint32_t k) {
  return frames.onset + (2 * k * (frames.offset - frames.onset) + bins) / (2 * bins);
}

/* Spikes of each neuron in each bin of frames in memory, those after the last of which are silent. */
static void count_spikes(void *memory, span frames) {
  const dw_state *s = memory;
  const dw_words *w = s->words;
  uint32_t kept = remembered(s), first = s->frames - kept, neurons = w->features / w->bins;
  uint16_t *counts = place(memory, w->counts_at);
  memset(counts, 0, w->features * sizeof *counts);
  for (uint32_t b = 0; b < w->bins; b++, counts += neurons) {
    uint32_t end = edge(frames, w->bins, b + 1);
    for (uint32_t t = edge(frames, w->bins, b); t < end && t < kept; t++) {
      const uint8_t *row = (const uint8_t *)placed(memory, w->spikes_at) + (size_t)((first + t) % w->memory) * w->row;
      uint32_t at = 0;
      for (unsigned l = w->first; l < (unsigned)w->first + w->layers; l++) {
        uint32_t outputs = w->model->layers[l].outputs;
        for (uint32_t o = 0; o < outputs; o++) counts[at + o] = (uint16_t)(counts[at + o] + (row[o / 8] >> o % 8 & 1));
        at += outputs;
        row += (outputs + 7u) / 8;
      }
    }
  }
}

static int32_t away(const dw_words *w, const uint16_t *counts, uint32_t d) {
  return (int32_t)counts[d] * ((int32_t)1 << w->fraction) - w->mean[d];
}

static void whiten(void *memory) {
  const dw_words *w = ((dw_state *)memory)->words;
  const uint16_t *counts = placed(memory, w->counts_at);
  int32_t *z = place(memory, w->scratch_at), *q = place(memory, w->projection_at);
  for (unsigned r = 0; r < w->rank; r++) {
    const int8_t *u = w->directions + (size_t)r * w->features;
    int32_t p = 0;
    for (uint32_t d = 0; d < w->features; d++) p += u[d] * away(w, counts, d);
    q[r] = (int32_t)(((int64_t)p * w->gain[r] + ((int64_t)1 << (w->gain_shift[r] - 1))) >> w->gain_shift[r]);
  }
  for (uint32_t d = 0; d < w->features; d++) z[d] = away(w, counts, d) * ((int32_t)1 << w->extra);
  for (unsigned r = 0; r < w->rank; r++) {
    const int8_t *u = w->directions + (size_t)r * w->features;
    for (uint32_t d = 0; d < w->features; d++) z[d] -= u[d] * q[r];
  }
}

static uint32_t above(const int32_t *z, uint32_t count, int64_t bound) {
  uint32_t found = 0;
  for (uint32_t d = 0; d < count; d++) found += (uint32_t)(z[d] > bound) + (uint32_t)(-(int64_t)z[d] > bound);
  return found;
}

/* Set the bits of the `active` largest of z and -z, of equal ones the first: those above the largest bound that fewer exceed, then those at it. */
static void choose_winners(void *memory) {
  const dw_words *w = ((dw_state *)memory)->words;
  const int32_t *z = placed(memory, w->scratch_at);
  uint8_t *code = place(memory, w->code_at);
  int64_t low = -((int64_t)1 << 31) - 1, high = (int64_t)1 << 31; /* at most `active` exceed `high`, more exceed `low` */
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (above(z, w->features, middle) <= w->active) high = middle;
    else low = middle;
  }
  uint32_t left = w->active - above(z, w->features, high);
  memset(code, 0, code_bytes(w));
  for (uint32_t i = 0; i < 2 * w->features; i++) {
    int64_t value = i < w->features ? z[i] : -(int64_t)z[i - w->features];
    int wins = value > high || (value == high && left);
    if (value == high && left) left--;
    if (wins) code[i / 8] |= (uint8_t)(1u << i % 8);
  }
}

static int code_span(void *memory, span speech, uint32_t words) {
  dw_state *s = memory;
  uint32_t first = s->frames - remembered(s);
  s->found.onset = first + speech.onset;
  s->found.offset = first + speech.offset;
  s->found.words = words;
  speech.offset += s->words->tail;
  count_spikes(memory, speech);
  whiten(memory);
  choose_winners(memory);
  s->coded = 1;
  return DW_WORD;
}

/* Code the first word in memory that has ended and was not decided before. */
static int look(void *memory) {
  dw_state *s = memory;
  uint32_t kept = remembered(s), first = s->frames - kept, count = kept > s->words->tail ? kept - s->words->tail : 0;
  span spans[MOST_SPANS];
  s->waiting = 0;
  uint32_t found = find_words(memory, count, spans);
  for (uint32_t i = 0; i < found; i++) {
    if (spans[i].offset >= count || (!spans[i].onset && first) || first + spans[i].onset < s->decided) continue;
    s->decided = first + spans[i].offset;
    return code_span(memory, spans[i], 1);
  }
  return DX_MORE;
}

static int heard(void *memory, const int16_t *frame) {
  dw_state *s = memory;
  remember(memory, frame ? level(frame, s->words->model->channels) : 0);
  s->waiting++;
  return s->mode == DW_STREAM && s->waiting >= s->words->step ? look(memory) : DX_MORE;
}

size_t dw_size(const dw_words *words) { return words->size; }

int dw_init(void *memory, size_t size, const dw_words *words, uint32_t rate, int mode) {
  dw_state *s = memory;
#if DX_DEBUG
  if (!memory || !words || (uintptr_t)memory % 8) return DX_ARGUMENT;
#endif
  if (size < words->size) return DX_SPACE;
  memset(memory, 0, words->size);
  s->words = words;
  s->mode = (uint8_t)mode;
  return dx_init(place(memory, words->stream_at), words->model->size, words->model, rate);
}

int dw_push(void *memory, const int16_t *samples, size_t count, size_t *taken) {
  dw_state *s = memory;
#if DX_DEBUG
  if (!memory || !taken || (!samples && count)) return DX_ARGUMENT;
#endif
  const dx_model *model = s->words->model;
  void *stream = place(memory, s->words->stream_at);
  *taken = 0;
  if (s->ended) return DX_ENDED;
  while (*taken < count) {
    size_t piece = (size_t)model->hop - s->filled;
    if (piece > count - *taken) piece = count - *taken;
    if (s->mode == DW_CLIP && s->frames + s->words->tail >= s->words->memory) return DW_LONG;
    int status = dx_push(stream, samples + *taken, piece);
    if (status < 0) return status;
    *taken += piece;
    s->filled = (uint16_t)(s->filled + piece);
    if (s->filled < model->hop) break;
    s->filled = 0;
    status = heard(memory, placed(stream, model->frame_at));
    if (status) return status;
  }
  return DX_MORE;
}

int dw_stop(void *memory) {
  dw_state *s = memory;
#if DX_DEBUG
  if (!memory) return DX_ARGUMENT;
#endif
  const dw_words *w = s->words;
  void *stream = place(memory, w->stream_at);
  if (s->ended) return DX_ENDED;
  if (!s->frames && !s->filled) return DX_EMPTY;
  while (s->filled) { /* complete the last frame */
    static const int16_t silence[32];
    size_t left = (size_t)w->model->hop - s->filled, taken;
    int status = dw_push(memory, silence, left < 32 ? left : 32, &taken);
    if (status) return status;
  }
  uint32_t after = w->tail + (s->mode == DW_STREAM ? 1u : 0u);
  while (s->silence < after) {
    dx_run(stream, NULL);
    s->silence++;
    if (heard(memory, NULL)) return DW_WORD;
  }
  if (s->mode == DW_STREAM) {
    if (s->waiting && look(memory)) return DW_WORD;
    s->ended = 1;
    return DX_MORE;
  }
  span spans[MOST_SPANS], whole = {0, s->frames - w->tail};
  uint32_t found = find_words(memory, whole.offset, spans);
  if (found) {
    whole.onset = spans[0].onset;
    whole.offset = spans[found - 1].offset;
  }
  s->ended = 1;
  return code_span(memory, whole, found);
}

const uint8_t *dw_code(const void *memory, dw_found *found) {
  const dw_state *s = memory;
  if (!s->coded) return NULL;
  if (found) *found = s->found;
  return placed(memory, s->words->code_at);
}

static uint32_t overlap(const uint8_t *a, const uint8_t *b, size_t bytes) {
  uint32_t found = 0;
  for (size_t i = 0; i < bytes; i++) {
    uint32_t x = a[i] & b[i];
    x = (x & 0x55u) + (x >> 1 & 0x55u);
    x = (x & 0x33u) + (x >> 2 & 0x33u);
    found += (x & 15u) + (x >> 4);
  }
  return found;
}

uint32_t dw_score(const dw_words *words, const dw_word *word, const uint8_t *code) {
  size_t bytes = code_bytes(words);
  uint32_t found = 0;
  for (uint32_t k = 0; k < word->clips; k++) found += overlap(word->codes + k * bytes, code, bytes);
  return found;
}

/* Height of a score above the background, in units of another word's deviation. */
static int64_t height(const dw_word *word, uint32_t score, const dw_word *other) {
  return ((int64_t)score * (1 << MOMENT_BITS) - word->mean) * other->deviation;
}

void dw_decide(const dw_words *words, const dw_word *taught, size_t count, const uint8_t *code, dw_match *match) {
  int reached = 0;
  match->label = -1;
  match->nearest = match->score = match->theta = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t score = dw_score(words, taught + i, code);
    const dw_word *best = taught + match->nearest;
    int fires = score >= taught[i].theta;
    if (i && (fires < reached || (fires == reached && height(taught + i, score, best) <= height(best, match->score, taught + i)))) continue;
    reached = fires;
    match->nearest = (uint32_t)i;
    match->score = score;
    match->theta = taught[i].theta;
  }
  if (reached) match->label = (int32_t)match->nearest;
}

/* Weight of the clips of the background that reach a threshold. */
static uint32_t weight_from(const uint16_t *scores, const dw_background *b, uint32_t theta) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < b->clips; i++)
    if (scores[i] >= theta) found += b->weights[i];
  return found;
}

int dw_teach(void *memory, dw_word *word, const dw_background *b, uint32_t share) {
  const dw_words *w = ((dw_state *)memory)->words;
  uint16_t *scores = place(memory, w->scratch_at);
  uint32_t low = UINT32_MAX, high = 0;
  uint64_t sum = 0, squares = 0;
#if DX_DEBUG
  if (!memory || !word || !b) return DX_ARGUMENT;
#endif
  if (!word->clips || (uint64_t)word->clips * w->active > LARGEST_SCORE) return DW_MANY;
  for (uint32_t i = 0; i < b->clips; i++) {
    uint32_t score = dw_score(w, word, b->codes + i * code_bytes(w));
    scores[i] = (uint16_t)score;
    sum += (uint64_t)score * b->weights[i];
    if (score < low) low = score;
    if (score + 1 > high) high = score + 1;
  }
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (weight_from(scores, b, middle) <= share) high = middle;
    else low = middle + 1;
  }
  word->theta = low;
  word->mean = (uint32_t)(sum >> (WEIGHT_BITS - MOMENT_BITS));
  for (uint32_t i = 0; i < b->clips; i++) {
    int64_t off = (int64_t)scores[i] * (1 << MOMENT_BITS) - word->mean;
    squares += (uint64_t)(off * off) * (b->weights[i] >> NARROW_BITS);
  }
  word->deviation = root(squares >> (WEIGHT_BITS - NARROW_BITS));
  if (!word->deviation) word->deviation = 1;
  return DX_MORE;
}

#ifdef DX_TRACE
int32_t dw_level(const void *memory, uint32_t frame) {
  const dw_words *w = ((const dw_state *)memory)->words;
  return ((const int32_t *)placed(memory, w->levels_at))[frame % w->memory];
}

const uint8_t *dw_spikes(const void *memory, uint32_t frame) {
  const dw_words *w = ((const dw_state *)memory)->words;
  return (const uint8_t *)placed(memory, w->spikes_at) + (size_t)(frame % w->memory) * w->row;
}
#endif
