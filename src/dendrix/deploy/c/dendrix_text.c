/* Engine of SpikeGPT in whole numbers. C99; needs stdint.h and string.h alone.
 *
 * Every number equals that of the numpy reference of dendrix, to the bit; `R` there is `rounded` here. Sums of products stay below 2^30, and
 * products of two numbers below 2^62: the export has proven it. Sums may therefore be added in any order.
 */
#include "dendrix_text.h"
#include <string.h>

#ifndef DX_DEBUG
#define DX_DEBUG 0
#endif
#ifndef DX_TEXT_WATCH /* a program that counts sees the inputs of every product, and the spikes of every group of neurons */
#define DX_TEXT_WATCH(x, n) ((void)0)
#define DX_TEXT_FIRED(x, n) ((void)0)
#endif

typedef char dx_text_shift_is_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

enum { STREAM_MAX = 8388607, LOG_MAX = 268435456, EMPTY = -1073741824 };

/* Places in the scalars of a half, and of the end. */
enum {
  LIMIT, NORM_SHIFT, NORM_EPSILON, KEY_SHIFT, RECEPTANCE_SHIFT, GATED_SHIFT, OUTPUT_SHIFT, INNER_LIMIT, INNER_SHIFT, INNER_EPSILON,
  VALUE_SHIFT, AFTER_SHIFT, AFTER_EPSILON
};
enum { ONE, THRESHOLD, EMBEDDING_SHIFT, END_LIMIT, END_SHIFT, END_EPSILON, HEAD_SHIFT, LEVELS, SIGNED };

typedef struct {
  const dx_text_model *model;
  uint64_t seed;
  uint32_t steps, sharpness, has_logits, ended;
} dx_text;

/* Arrays that follow the header; d is the width. */
typedef struct {
  int32_t *state, *logits, *stream, *normed, *key, *value, *gate; /* [state_count], [vocabulary], [d] x 2, [4 d], [d] x 2 */
  int16_t *input;                                                /* [4 d], of a product */
  uint16_t *active;                                              /* [4 d], inputs that are not 0 */
} room;

static room room_of(const dx_text *t) {
  const dx_text_model *m = t->model;
  room r;
  r.state = (int32_t *)(uintptr_t)(t + 1);
  r.logits = r.state + m->state_count;
  r.stream = r.logits + m->vocabulary;
  r.normed = r.stream + m->width;
  r.key = r.normed + m->width;
  r.value = r.key + 4u * m->width;
  r.gate = r.value + m->width;
  r.input = (int16_t *)(r.gate + m->width);
  r.active = (uint16_t *)(r.input + 4u * m->width);
  return r;
}

size_t dx_text_size(const dx_text_model *m) {
  size_t words = (size_t)m->state_count + m->vocabulary + 12u * m->width;
  return sizeof(dx_text) + (4 * words + 7) / 8 * 8;
}

static int64_t rounded(int64_t x, int32_t bits) { return (x + ((int64_t)1 << (bits - 1))) >> bits; }

static int64_t clipped(int64_t x, int64_t limit) { return x > limit ? limit : x < -limit ? -limit : x; }

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static int64_t interpolated(const int32_t *table, int64_t a) {
  int64_t i = a >> 14;
  if (i >= 1280) return 0;
  return table[i] + (((int64_t)(table[i + 1] - table[i]) * (a & 16383)) >> 14);
}

static int64_t sigmoid(const int32_t *table, int64_t a) {
  int64_t found = interpolated(table, magnitude(a));
  return a < 0 ? found : 1073741824 - found;
}

/* Square root of x, rounded down, for 2^60 <= x < 2^62. */
static uint64_t root(uint64_t x) {
  uint64_t found = 0;
  for (uint64_t bit = (uint64_t)1 << 60; bit; bit >>= 2) {
    if (x >= found + bit) {
      x -= found + bit;
      found = (found >> 1) + bit;
    } else {
      found >>= 1;
    }
  }
  return found;
}

/* Limited norm of x [n], into y. */
static void norm(const int32_t *x, uint32_t n, const int32_t *weight, const int32_t *bias, int32_t epsilon, int32_t down, int32_t limit,
                 int32_t *y) {
  int64_t total = n, squares = epsilon, mean;
  for (uint32_t i = 0; i < n; i++) total += 2 * (int64_t)x[i];
  /* Rounded down for negative sums too, as |x| < 2^24. */
  mean = (int64_t)((uint64_t)(total + ((int64_t)n << 25)) / (2 * n)) - ((int64_t)1 << 24);
  for (uint32_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
  int32_t e = 0;
  for (; squares < (int64_t)1 << 60; e++) squares <<= 2;
  int64_t inverse = (int64_t)(((uint64_t)1 << 61) / root((uint64_t)squares));
  for (uint32_t i = 0; i < n; i++) {
    int64_t scaled = rounded((x[i] - mean) * inverse, 31 - e);
    y[i] = (int32_t)clipped(rounded(scaled * weight[i], down) + bias[i], limit);
  }
}

/* Neurons driven by x [n], with a threshold each, or one for all where stride is 0; x becomes their spikes. `gain` is the place of a gain
 * for each, or UINT32_MAX for one half. A pass over all neurons for each level has no branches, so that compilers use vectors. */
static void fire(const dx_text_model *m, int32_t *x, uint32_t n, int32_t *v, const int32_t *threshold, uint32_t stride, uint32_t gain) {
  const int32_t *scalar = m->constants + m->scalars, levels = scalar[LEVELS], is_signed = scalar[SIGNED];
  if (gain == UINT32_MAX) /* |x| and |v| stay below 2^30 */
    for (uint32_t i = 0; i < n; i++) v[i] += (x[i] - v[i] + 1) >> 1;
  else
    for (uint32_t i = 0; i < n; i++) v[i] += (int32_t)rounded(((int64_t)x[i] - v[i]) * m->constants[gain + i], 15);
  memset(x, 0, n * sizeof *x);
  for (int32_t level = 1; level <= levels; level++) {
    int32_t high = (int32_t)clipped((int64_t)level * *threshold, INT32_MAX), low = is_signed ? -high : INT32_MIN;
    if (!stride) {
      for (uint32_t i = 0; i < n; i++) x[i] += (v[i] >= high) - (v[i] <= low);
    } else {
      for (uint32_t i = 0; i < n; i++) {
        int64_t least = (int64_t)level * threshold[i];
        x[i] += (v[i] >= least) - (is_signed && -v[i] >= least);
      }
    }
  }
  for (uint32_t i = 0; i < n; i++) v[i] *= x[i] == 0;
  DX_TEXT_FIRED(x, n);
}

static void scale(int32_t *x, uint32_t n, const int32_t *factor, int32_t down, int64_t limit) {
  for (uint32_t i = 0; i < n; i++) x[i] = (int32_t)clipped(rounded((int64_t)x[i] * factor[i], down), limit);
}

static void shift(int32_t *x, uint32_t n, int32_t bits) {
  for (uint32_t i = 0; i < n; i++) x[i] *= (int32_t)1 << bits;
}

static void narrow(const int32_t *x, uint32_t n, int16_t *y) {
  for (uint32_t i = 0; i < n; i++) y[i] = (int16_t)x[i];
}

/* Input of product number `reader` of the stream: a mixture of this input and the last, or for spikes, one of the two bits. Separate
 * neurons fire behind the mixture, in `value`. */
static void mix(const dx_text_model *m, const room *r, const dx_text_half *half, uint32_t reader, const int32_t *share, int32_t limit) {
  const int32_t *h = r->normed, *last = r->state + half->shift_at;
  uint32_t n = m->width, gain = half->before_gain;
  if (m->neurons == DX_NEURONS_BEFORE_PRODUCTS) {
    for (uint32_t i = 0; i < n; i++) r->input[i] = (int16_t)(share[i] > 0 ? h[i] : last[i]);
  } else if (m->neurons == DX_SEPARATE_NEURONS) {
    for (uint32_t i = 0; i < n; i++)
      r->value[i] = (int32_t)clipped(last[i] + rounded((int64_t)share[i] * (h[i] - last[i]), 13), limit);
    if (gain != UINT32_MAX) gain += reader * n;
    fire(m, r->value, n, r->state + half->before_at + reader * n, m->constants + m->scalars + THRESHOLD, 0, gain);
    narrow(r->value, n, r->input);
  } else {
    for (uint32_t i = 0; i < n; i++) {
      int32_t mixed = last[i] + ((share[i] * (h[i] - last[i]) + 4096) >> 13);
      r->input[i] = (int16_t)(mixed > limit ? limit : mixed < -limit ? -limit : mixed);
    }
  }
}

static int32_t dot(const int8_t *w, const int16_t *x, uint32_t n) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += w[i] * x[i];
  return sum;
}

#ifdef DX_TEXT_SIMD
#include DX_TEXT_SIMD /* dense, spike_rows and sparse_blocks with vectors */
#else

static void dense(const int8_t *w, const int16_t *x, uint32_t n, uint32_t m, int32_t *y) {
  for (uint32_t o = 0; o < m; o++, w += n) y[o] = dot(w, x, n);
}

#endif

/* y = W x without the zeros of x, W [n][m]. `counts`: the inputs are spike counts, none negative. */
static void sparse(const int8_t *w, const int16_t *x, uint32_t n, uint32_t m, int counts, int32_t *y, uint16_t *active) {
  uint32_t count = 0, from = 0;
  for (uint32_t i = 0; i < n; i++) {
    active[count] = (uint16_t)i;
    count += x[i] != 0;
  }
#ifdef DX_TEXT_SIMD
  if (counts) {
    spike_rows(w, x, active, count, m, y);
    return;
  }
  from = sparse_blocks(w, x, active, count, m, y);
#else
  (void)counts;
#endif
  memset(y + from, 0, (m - from) * sizeof *y);
  for (uint32_t k = 0; k < count; k += 4) { /* four rows at a time, the missing ones times 0; 16 bits suit vectors */
    const int8_t *row[4];
    int16_t value[4];
    for (uint32_t j = 0; j < 4; j++) {
      int is_left = k + j < count;
      uint32_t i = active[is_left ? k + j : k];
      row[j] = w + (size_t)i * m;
      value[j] = is_left ? x[i] : (int16_t)0;
    }
    for (uint32_t o = from; o < m; o++)
      y[o] += row[0][o] * value[0] + row[1][o] * value[1] + row[2][o] * value[2] + row[3][o] * value[3];
  }
}

/* Gated averages, into value. */
static void wkv(const dx_text_model *m, const room *r, const dx_text_half *half) {
  const int32_t *bonus = m->constants + half->bonus, *rate = m->constants + half->rate;
  int32_t *average = r->state + half->average_at, *total = r->state + half->total_at;
  for (uint32_t i = 0; i < m->width; i++) {
    int64_t k = r->key[i], difference = (int64_t)r->value[i] - average[i];
    int64_t y = average[i] + rounded(difference * sigmoid(m->sigmoid, bonus[i] + k - total[i]), 30);
    int64_t faded = (int64_t)total[i] - rate[i];
    average[i] = (int32_t)(average[i] + rounded(difference * sigmoid(m->sigmoid, k - faded), 30));
    total[i] = (int32_t)((faded > k ? faded : k) + interpolated(m->softplus, magnitude(k - faded)));
    r->value[i] = (int32_t)rounded(y * r->gate[i], 30);
  }
}

/* Norm and neurons inside a half, in place. */
static void inner(const dx_text_model *m, const room *r, const dx_text_half *half, const int32_t *scalar, int32_t *x, uint32_t n) {
  norm(x, n, m->constants + half->inner_weight, m->constants + half->inner_bias, scalar[INNER_EPSILON], scalar[INNER_SHIFT], STREAM_MAX, x);
  fire(m, x, n, r->state + half->inside_at, m->constants + m->scalars + THRESHOLD, 0, half->inside_gain);
}

static void product(const dx_text_model *m, const room *r, uint32_t at, int zeros, int spikes, uint32_t inputs, uint32_t outputs, int32_t *y) {
  int counts = spikes && !m->constants[m->scalars + SIGNED];
  DX_TEXT_WATCH(r->input, inputs);
  if (zeros) sparse(m->weights + at, r->input, inputs, outputs, counts, y, r->active);
  else dense(m->weights + at, r->input, inputs, outputs, y);
}

/* The result of a half for the stream, into value. */
static void run_half(const dx_text_model *m, const room *r, const dx_text_half *half) {
  const int32_t *c = m->constants, *scalar = c + half->scalars;
  uint32_t d = m->width;
  int together = m->neurons == DX_NEURONS_BEFORE_PRODUCTS, bits = together || m->neurons == DX_SEPARATE_NEURONS;
  int time = half->kind == DX_TIME;
  uint32_t wide = time ? d : 4 * d;
  int32_t limit = bits ? STREAM_MAX : scalar[LIMIT], *last = r->state + half->shift_at;
  norm(r->stream, d, c + half->norm_weight, c + half->norm_bias, scalar[NORM_EPSILON], scalar[NORM_SHIFT], limit, r->normed);
  if (together) fire(m, r->normed, d, r->state + half->before_at, c + m->scalars + THRESHOLD, 0, half->before_gain);
  mix(m, r, half, 0, c + half->mix_key, limit);
  product(m, r, half->key, bits, bits, d, wide, r->key);
  mix(m, r, half, 1, c + half->mix_receptance, limit);
  product(m, r, half->receptance, bits, bits, d, d, r->gate);
  scale(r->gate, d, c + half->receptance_scale, scalar[RECEPTANCE_SHIFT], LOG_MAX);
  for (uint32_t i = 0; i < d; i++) r->gate[i] = (int32_t)sigmoid(m->sigmoid, r->gate[i]);
  if (time) {
    mix(m, r, half, 2, c + half->mix_value, limit);
    product(m, r, half->value, bits, bits, d, d, r->value);
    shift(r->value, d, scalar[VALUE_SHIFT]);
    scale(r->key, d, c + half->key_scale, scalar[KEY_SHIFT], LOG_MAX);
    wkv(m, r, half);
    scale(r->value, d, c + half->gated_scale, scalar[GATED_SHIFT], bits ? STREAM_MAX : scalar[INNER_LIMIT]);
    if (bits) inner(m, r, half, scalar, r->value, d);
    narrow(r->value, d, r->input);
  } else if (bits) {
    scale(r->key, wide, c + half->key_scale, scalar[KEY_SHIFT], STREAM_MAX);
    inner(m, r, half, scalar, r->key, wide);
    narrow(r->key, wide, r->input);
  } else {
    for (uint32_t i = 0; i < wide; i++) {
      int64_t k = r->key[i] > 0 ? rounded((int64_t)r->key[i] * c[half->key_scale + i], scalar[KEY_SHIFT]) : 0;
      int32_t square = (int32_t)(k < 32767 ? k * k + 32768 : 1073676289 + 32768) >> 16;
      r->input[i] = (int16_t)(square < scalar[INNER_LIMIT] ? square : scalar[INNER_LIMIT]);
    }
  }
  memcpy(last, r->normed, d * sizeof *last);
  product(m, r, time ? half->output : half->value, bits || !time, bits, wide, d, r->value);
  if (time) return;
  shift(r->value, d, scalar[VALUE_SHIFT]);
  for (uint32_t i = 0; i < d; i++) r->value[i] = (int32_t)rounded((int64_t)r->gate[i] * r->value[i], 30);
}

static void read_token(const dx_text_model *m, const room *r, uint32_t token) {
  const int32_t *c = m->constants, *scalar = c + m->scalars;
  const int16_t *row = m->embedding + (size_t)token * m->width;
  for (uint32_t i = 0; i < m->width; i++) r->stream[i] = row[i] * ((int32_t)1 << scalar[EMBEDDING_SHIFT]);
  for (uint32_t h = 0; h < m->half_count; h++) {
    const dx_text_half *half = &m->halves[h];
    const int32_t *own = c + half->output_scale;
    int32_t one = 1;
    run_half(m, r, half);
    if (m->neurons == DX_NEURONS_AFTER_HALVES) {
      const int32_t *threshold = own;
      uint32_t normed = half->after_weight != UINT32_MAX;
      if (normed) {
        const int32_t *s = c + half->scalars;
        scale(r->value, m->width, own, s[OUTPUT_SHIFT], STREAM_MAX);
        norm(r->value, m->width, c + half->after_weight, c + half->after_bias, s[AFTER_EPSILON], s[AFTER_SHIFT], STREAM_MAX, r->value);
        threshold = scalar + THRESHOLD;
      }
      fire(m, r->value, m->width, r->state + half->after_at, threshold, !normed, half->after_gain);
      one = scalar[ONE];
    } else {
      scale(r->value, m->width, own, c[half->scalars + OUTPUT_SHIFT], 2 * STREAM_MAX);
    }
    for (uint32_t i = 0; i < m->width; i++) {
      r->stream[i] = (int32_t)clipped(r->stream[i] + r->value[i] * one, STREAM_MAX);
      if (half->halve) r->stream[i] = (r->stream[i] + 1) >> 1;
    }
  }
}

/* splitmix64 of Steele, Lea and Flood (2014), as a function of the position. */
static uint64_t random_at(uint64_t seed, uint64_t position) {
  uint64_t z = seed + (position + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Share of a token in 30 fractional bits of that of the most likely one. */
static uint32_t share_of(const dx_text *t, int32_t below) {
  uint64_t z = ((uint64_t)(uint32_t)below * t->sharpness) >> 24, whole = z >> 8;
  return whole > 30 ? 0 : t->model->powers[z & 255] >> whole;
}

static uint32_t choose(const dx_text *t, const int32_t *logits) {
  uint32_t best = 0, n = t->model->vocabulary;
  for (uint32_t i = 1; i < n; i++)
    if (logits[i] > logits[best]) best = i;
  if (!t->sharpness) return best;
  uint64_t total = 0, chance = random_at(t->seed, t->steps) >> 32, left;
  for (uint32_t i = 0; i < n; i++) total += share_of(t, logits[best] - logits[i]);
  left = (total >> 32) * chance + (((total & UINT32_MAX) * chance) >> 32); /* total times a number in [0, 1) */
  for (uint32_t i = 0; i < n; i++) {
    uint32_t share = share_of(t, logits[best] - logits[i]);
    if (left < share) return i;
    left -= share;
  }
  return best;
}

int dx_text_init(void *memory, size_t size, const dx_text_model *model, uint32_t temperature, uint64_t seed) {
  if (DX_DEBUG && (!memory || !model || (uintptr_t)memory % 8)) return DX_TEXT_ARGUMENT;
  if (size < dx_text_size(model)) return DX_TEXT_SPACE;
  memset(memory, 0, dx_text_size(model));
  dx_text *t = memory;
  t->model = model;
  t->seed = seed;
  /* log2(e) / 256 over the temperature, in 24 fractional bits */
  if (temperature) t->sharpness = (94548462u + temperature / 2) / temperature;
  if (temperature && !t->sharpness) t->sharpness = 1;
  int32_t *state = room_of(t).state;
  for (uint32_t h = 0; h < model->half_count; h++)
    if (model->halves[h].kind == DX_TIME)
      for (uint32_t i = 0; i < model->width; i++) state[model->halves[h].total_at + i] = EMPTY;
  return DX_TEXT_OK;
}

int dx_text_push(void *memory, const uint16_t *tokens, size_t count) {
  dx_text *t = memory;
  if (DX_DEBUG && (!t || (!tokens && count))) return DX_TEXT_ARGUMENT;
  if (t->ended) return DX_TEXT_ENDED;
  for (size_t i = 0; i < count; i++)
    if (tokens[i] >= t->model->vocabulary) return DX_TEXT_TOKEN;
  room r = room_of(t);
  for (size_t i = 0; i < count; i++) read_token(t->model, &r, tokens[i]);
  t->steps += (uint32_t)count;
  if (count) t->has_logits = 0;
  return DX_TEXT_OK;
}

int dx_text_result(void *memory, dx_text_answer *answer) {
  dx_text *t = memory;
  if (DX_DEBUG && (!t || !answer)) return DX_TEXT_ARGUMENT;
  if (!t->steps) return DX_TEXT_EMPTY;
  const dx_text_model *m = t->model;
  const int32_t *c = m->constants, *scalar = c + m->scalars;
  room r = room_of(t);
  if (!t->has_logits) {
    norm(r.stream, m->width, c + m->norm_weight, c + m->norm_bias, scalar[END_EPSILON], scalar[END_SHIFT], scalar[END_LIMIT], r.normed);
    narrow(r.normed, m->width, r.input);
    DX_TEXT_WATCH(r.input, m->width);
    dense(m->weights + m->head, r.input, m->width, m->vocabulary, r.logits);
    scale(r.logits, m->vocabulary, c + m->head_scale, scalar[HEAD_SHIFT], LOG_MAX);
    t->has_logits = 1;
  }
  answer->logits = r.logits;
  answer->token = choose(t, r.logits);
  answer->steps = t->steps;
  return DX_TEXT_OK;
}

int dx_text_stop(void *memory) {
  if (DX_DEBUG && !memory) return DX_TEXT_ARGUMENT;
  ((dx_text *)memory)->ended = 1;
  return DX_TEXT_OK;
}

#ifdef DX_TRACE
const int32_t *dx_text_state_of(const void *memory) { return room_of(memory).state; }
#endif
