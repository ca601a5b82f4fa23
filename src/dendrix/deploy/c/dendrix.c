/* Engine of spiking networks in whole numbers. C99; needs stdint.h and string.h alone.
 *
 * Every number equals that of the numpy reference of dendrix, to the bit. Pending sums lie in a ring of rows, one for each step to come;
 * a spike is scattered into the ring of the next layer at once. The first layer gathers from a history of frames instead. `model.h` says which
 * parts a network needs; the compiler leaves out the others.
 */
#include "dendrix.h"
#include "model.h"
#include <string.h>

#ifndef DX_DEBUG
#define DX_DEBUG 0
#endif

typedef char dx_shift_is_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

typedef struct {
  const dx_model *model;
  uint32_t steps;
  uint32_t filled; /* samples or values of the frame that is not complete */
  uint8_t sure, ended, heard;
} dx_state;

typedef char dx_header_fits[sizeof(dx_state) <= 32 ? 1 : -1];

/* Whether something holds of a layer or of the network: `model.h` says 0 for never, 1 for always, or 2 to look at the flag. */
#define IS(known, flag) ((known) == 2 ? (flag) : (known))

static void *at(dx_state *s, uint32_t offset) { return (unsigned char *)s + offset; }

static int32_t saturated(int64_t x) { return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x); }

static int64_t times(int32_t x, uint16_t decay) { return ((int64_t)x * decay + 16384) >> 15; }

/* As `times`, for |x| < 2^30 and decays below 1: the upper word of a product. */
static inline int32_t decayed(int32_t x, uint16_t decay) {
  return (int32_t)(((int64_t)(x * 2) * ((int32_t)decay * 65536) + ((int64_t)1 << 31)) >> 32);
}

static int64_t shifted(int32_t x, unsigned bits) { return (int64_t)x * ((int64_t)1 << bits); }

/* A synapse has its weight and its delay in two tables, or both in a byte. */
#define WEIGHT(k) w[k]
#define LATE(k) d[k]
#define PACKED_WEIGHT(k) ((int32_t)((d[k] & 15u) ^ 8u) - 8)
#define PACKED_LATE(k) (d[k] >> 4)

/* Where the rows of a ring of pending sums begin, by delay: row (now + delay) mod rows. */
static void find_rows(void **base, void *ring, int wide, unsigned rows, unsigned now, unsigned taps, unsigned outputs) {
  for (unsigned d = 0; d < taps; d++) {
    base[d] = (unsigned char *)ring + (size_t)now * outputs * (wide ? 4u : 2u);
    now = now + 1 == rows ? 0 : now + 1;
  }
}

/* Send a spike into the rows. */
#define ADD(type, weight, late, k)       \
  do {                                   \
    type *sum = (type *)base[late(k)] + o; \
    sum[k] = (type)(sum[k] + weight(k)); \
  } while (0)
#define SEND(type, weight, late)                     \
  do {                                               \
    for (; o + 4 <= outputs; o += 4, w += 4, d += 4) { \
      ADD(type, weight, late, 0);                    \
      ADD(type, weight, late, 1);                    \
      ADD(type, weight, late, 2);                    \
      ADD(type, weight, late, 3);                    \
    }                                                \
    for (; o < outputs; o++, w++, d++) ADD(type, weight, late, 0); \
  } while (0)

static void send(void *const *base, int wide, int packed, unsigned outputs, const int8_t *weight, const uint8_t *d) {
  const int8_t *w = packed ? (const int8_t *)d : weight;
  unsigned o = 0;
  if (wide && packed) SEND(int32_t, PACKED_WEIGHT, PACKED_LATE);
  else if (wide) SEND(int32_t, WEIGHT, LATE);
  else if (packed) SEND(int16_t, PACKED_WEIGHT, PACKED_LATE);
  else SEND(int16_t, WEIGHT, LATE);
}

/* Take the sum of neuron o out of its row. */
static int32_t taken(void *ring, int wide, size_t index) {
  int32_t sum;
  if (wide) {
    sum = ((int32_t *)ring)[index];
    ((int32_t *)ring)[index] = 0;
  } else {
    sum = ((int16_t *)ring)[index];
    ((int16_t *)ring)[index] = 0;
  }
  return sum;
}

/* Weighted frames of the past that reach a neuron of the first layer now. The past lies in blocks of channels: the newest frame of a block
 * first, so that the delay and the channel of a synapse make an offset of 8 bits, which its table has. A packed one has blocks of one. */
#define GATHER(type)                                                                                              \
  do {                                                                                                            \
    for (const type *x = past; left; x += pitch) {                                                                \
      unsigned n = left < block ? left : block;                                                                   \
      left -= n;                                                                                                  \
      for (; n >= 4; n -= 4, w += 4, d += 4) sum += w[0] * x[d[0]] + w[1] * x[d[1]] + w[2] * x[d[2]] + w[3] * x[d[3]]; \
      for (; n; n--) sum += *w++ * x[*d++];                                                                       \
    }                                                                                                             \
  } while (0)
#define GATHER_PACKED(type)                                                                        \
  do {                                                                                             \
    const type *x = past;                                                                          \
    for (; left >= 2; left -= 2, d += 2, x += 2 * pitch)                                           \
      sum += PACKED_WEIGHT(0) * x[PACKED_LATE(0)] + PACKED_WEIGHT(1) * x[pitch + PACKED_LATE(1)]; \
    if (left) sum += PACKED_WEIGHT(0) * x[PACKED_LATE(0)], d++;                                    \
  } while (0)

static int32_t gathered(const dx_layer *l, const void *past, unsigned block, int wide, int packed, unsigned o) {
  size_t start = (size_t)o * l->synapses * l->inputs;
  const int8_t *w = packed ? NULL : l->weight + start;
  const uint8_t *d = l->delay + start;
  unsigned pitch = 2u * l->taps * block;
  int32_t sum = 0;
  for (unsigned k = 0; k < l->synapses; k++) {
    unsigned left = l->inputs;
    if (wide && packed) GATHER_PACKED(int16_t);
    else if (wide) GATHER(int16_t);
    else if (packed) GATHER_PACKED(int8_t);
    else GATHER(int8_t);
  }
  return sum;
}

/* One step of neuron o, which may saturate; returns whether it spikes. */
static int fires(const dx_layer *l, unsigned o, int64_t drive, int32_t *v, int32_t *slow) {
  int64_t h;
  switch (l->kind) {
#if DX_HAS_ADLIF
  case DX_ADLIF: {
    int spiked = v[o] >= l->threshold[o];
    int64_t w = ((int64_t)slow[o] * l->slow_decay[o] + (int64_t)v[o] * l->coupling[o] + 16384) >> 15;
    slow[o] = saturated(spiked ? w + l->jump[o] : w);
    h = (int64_t)v[o] - (spiked ? l->threshold[o] : 0);
    v[o] = saturated(((h * l->decay[o] + 16384) >> 15) + drive - slow[o]);
    return v[o] >= l->threshold[o];
  }
#endif
#if DX_HAS_CUBA
  case DX_CUBA:
    drive = slow[o] = saturated(times(slow[o], l->slow_decay[o]) + drive);
    break;
#endif
  default:
    break;
  }
  (void)slow;
  h = saturated(times(v[o], l->decay[o]) + drive);
  if (l->kind == DX_LI || h < l->threshold[o]) {
    v[o] = (int32_t)h;
    return 0;
  }
  v[o] = l->soft ? (int32_t)(h - l->threshold[o]) : l->reset ? l->reset[o] : 0;
  return 1;
}

/* As `fires`, for LIF and LI neurons whose membranes are proven to stay below 2^30. */
static int fires_bounded(const dx_layer *l, unsigned o, int32_t drive, int32_t *v) {
  int32_t h = decayed(v[o], l->decay[o]) + drive;
  int spike = l->kind != DX_LI && h >= l->threshold[o];
  if (spike) h = l->soft ? h - l->threshold[o] : l->reset ? l->reset[o] : 0;
  v[o] = h;
  return spike;
}

static unsigned row_of(const dx_state *s, unsigned rows) { return rows ? (unsigned)(s->steps % rows) : 0; }

/* Send the spike of neuron o over `count` synapses to each of `outputs` neurons. */
static void send_all(void *const *base, int wide, int packed, unsigned o, unsigned neurons, unsigned count, unsigned outputs, const int8_t *w,
                     const uint8_t *d) {
  for (unsigned k = 0; k < count; k++) {
    size_t start = ((size_t)k * neurons + o) * outputs;
    send(base, wide, packed, outputs, packed ? NULL : w + start, d + start);
  }
}

static void run_layer(dx_state *s, unsigned index, const void *past, uint8_t *spikes) {
  const dx_model *m = s->model;
  const dx_layer *l = m->layers + index, *next = index + 1u < m->layer_count ? l + 1 : NULL;
  int32_t *v = at(s, l->membrane_at), *slow = at(s, l->slow_at);
  void *ring = at(s, l->pending_at), *own = at(s, l->feedback_at), *ahead[DX_MAX_TAPS], *again[DX_FEEDBACK ? DX_MAX_TAPS : 1];
  unsigned now = row_of(s, l->taps), rows = l->feedback_taps + 1u, back = row_of(s, rows), out = l->outputs, shift = l->shift;
  int bounded = IS(DX_BOUNDED, l->bounded), packed = IS(DX_PACKED, l->packed), feedback = IS(DX_FEEDBACK, l->feedback_synapses > 0);
  int wide = IS(DX_WIDE_SUMS, l->wide), own_wide = IS(DX_WIDE_SUMS, l->feedback_wide), next_wide = next && IS(DX_WIDE_SUMS, next->wide);
  if (next) find_rows(ahead, at(s, next->pending_at), next_wide, next->taps, row_of(s, next->taps), next->taps, next->outputs);
  if (feedback) find_rows(again, own, own_wide, rows, (back + 1) % rows, l->feedback_taps, out);
#if DX_SPIKES
  uint8_t *fired = at(s, l->fired_at);
  memset(fired, 0, (out + 7u) / 8);
#endif
  for (unsigned o = 0; o < out; o++) {
    int32_t sum = index ? taken(ring, wide, (size_t)now * out + o) : gathered(l, past, m->block, IS(DX_WIDE_INPUT, m->wide_input), packed, o);
    int spike;
    if (bounded) {
      int32_t drive = sum * ((int32_t)1 << shift) + l->bias[o];
      if (feedback) drive += taken(own, own_wide, (size_t)back * out + o) * ((int32_t)1 << l->feedback_shift);
      spike = fires_bounded(l, o, drive, v);
    } else {
      int64_t drive = shifted(sum, shift) + l->bias[o];
      if (feedback) drive += shifted(taken(own, own_wide, (size_t)back * out + o), l->feedback_shift);
      spike = fires(l, o, drive, v, slow);
    }
    if (!next && l->kind != DX_LI) spikes[o] = (uint8_t)spike;
    if (!spike) continue;
#if DX_SPIKES
    fired[o / 8] |= (uint8_t)(1u << o % 8);
#endif
    if (feedback) send_all(again, own_wide, packed, o, out, l->feedback_synapses, out, l->feedback_weight, l->feedback_delay);
    if (next) send_all(ahead, next_wide, packed, o, out, next->synapses, next->outputs, next->weight, next->delay);
  }
}

static const int64_t *totals(const dx_state *s) { return (const int64_t *)(const void *)((const unsigned char *)s + s->model->total_at); }

static int32_t output(dx_state *s, const uint8_t *spikes, unsigned k) {
  const dx_layer *last = s->model->layers + (s->model->layer_count - 1);
  return last->kind == DX_LI ? ((int32_t *)at(s, last->membrane_at))[k] : spikes[k];
}

/* One time step on a frame that stands in the history. */
static void run_step(dx_state *s, const void *past) {
  const dx_model *m = s->model;
  int64_t *total = at(s, m->total_at);
  uint8_t spikes[DX_MAX_CLASSES] = {0};
  for (unsigned l = 0; l < m->layer_count; l++) run_layer(s, l, past, spikes);
  s->steps++;
  for (unsigned k = 0; k < m->decision.classes; k++)
    total[k] = dx_added(&m->decision, total[k], output(s, spikes, k), s->steps);
  s->sure = (uint8_t)dx_is_sure(&m->decision, total, s->steps, at(s, m->streak_at));
}

/* Write a frame into the history, newest first and twice, so that all rows of the past follow on one another; and run a step. */
static void run_frame(dx_state *s, const int16_t *frame) {
  const dx_model *m = s->model;
  unsigned rows = m->layers->taps, n = m->channels, block = m->block, row = (rows - 1 - row_of(s, rows)) * block;
  void *history = at(s, m->history_at);
  int wide = IS(DX_WIDE_INPUT, m->wide_input);
  for (unsigned i = 0, start = row, k = 0; i < n; i++, k++) {
    if (k == block) {
      k = 0;
      start += 2 * rows * block;
    }
    if (wide) {
      int16_t *kept = (int16_t *)history + start + k;
      kept[0] = kept[rows * block] = frame[i];
    } else {
      int8_t *kept = (int8_t *)history + start + k;
      kept[0] = kept[rows * block] = (int8_t)(frame[i] > 127 ? 127 : frame[i] < -128 ? -128 : frame[i]);
    }
  }
  run_step(s, (unsigned char *)history + (size_t)row * (wide ? 2u : 1u));
}

#if DX_MEL || DX_COCHLEA
#if defined(__GNUC__) && !defined(__ARM_ARCH_6M__)
static int leading_zeros(uint32_t x) { return __builtin_clz(x); } /* x > 0 */
#else
static int leading_zeros(uint32_t x) { /* x > 0 */
  int n = 0;
  if (!(x >> 16)) { n += 16; x <<= 16; }
  if (!(x >> 24)) { n += 8; x <<= 8; }
  if (!(x >> 28)) { n += 4; x <<= 4; }
  if (!(x >> 30)) { n += 2; x <<= 2; }
  return n + !(x >> 31);
}
#endif
#endif

#if DX_MEL
/* log2(x) in 16 fractional bits, x > 0. */
static int32_t log2_of(const uint32_t *table, uint64_t x) {
  uint32_t high = (uint32_t)(x >> 32);
  int n = high ? 63 - leading_zeros(high) : 31 - leading_zeros((uint32_t)x);
  uint32_t f = (uint32_t)(n >= 16 ? x >> (n - 16) : x << (16 - n)) & 0xffffu, i = f >> 10;
  return (int32_t)(((uint32_t)n << 16) + table[i] + (((table[i + 1] - table[i]) * (f & 1023u)) >> 10));
}

/* Follow the peak of samples, and amplify them to it; NULL for silence. */
static void amplify(const dx_mel *e, uint32_t *peak, const int16_t *samples, int16_t *to, size_t count) {
  uint32_t level = *peak, keep = e->keep, floor = e->floor;
  while (count--) {
    int32_t x = samples ? *samples++ : 0;
    uint32_t size = (uint32_t)(x < 0 ? -x : x) << 16;
    level = (uint32_t)(((uint64_t)level * keep) >> 32);
    if (size > level) level = size;
    int up = leading_zeros(level + floor);
    *to++ = (int16_t)(keep ? (x * (int32_t)(0x7fffffffu / (((level + floor) << up) >> 16))) >> (16 - up) : x);
  }
  *peak = level;
}

typedef struct {
  int32_t re, im;
} complex;

/* Upper word of a product. */
static inline int32_t high(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }

/* Half of the product of z and e^(-i angle), whose cosine and sine have 31 fractional bits. */
static inline complex turned(complex z, int32_t cosine, int32_t sine) {
  complex found = {high(z.re, cosine) + high(z.im, sine), high(z.im, cosine) - high(z.re, sine)};
  return found;
}

/* One butterfly: *a and *b become half of the sum and of the difference of *a and 2 (re + i im). */
static inline void butterfly(complex *a, complex *b, int32_t re, int32_t im) {
  complex c = *a;
  a->re = (c.re >> 1) + re;
  a->im = (c.im >> 1) + im;
  b->re = (c.re >> 1) - re;
  b->im = (c.im >> 1) - im;
}

/* Complex transform of `n` points in place, over n / 2, in the order of reversed bits at the start; every second point repeats the one
 * before it, as that of zeros follows it. The second quarter of the factors is the first times -i. */
static void transform(const int32_t *cosine, complex *z, unsigned n) {
  for (unsigned half = 2; half < n; half *= 2) {
    unsigned quarter = half / 2, stride = n / half;
    complex *end = z + n;
    for (complex *a = z; a < end; a += 2 * half) {
      complex b = a[half], c = a[half + quarter];
      butterfly(a, a + half, b.re >> 1, b.im >> 1);
      butterfly(a + quarter, a + half + quarter, c.im >> 1, -(c.re >> 1));
    }
    for (unsigned k = 1; k < quarter; k++) {
      int32_t wr = cosine[k * stride], wi = cosine[n / 2 - k * stride];
      for (complex *a = z + k; a < end; a += 2 * half) {
        complex t = turned(a[half], wr, wi);
        butterfly(a, a + half, t.re, t.im);
        t = turned(a[half + quarter], wr, wi);
        butterfly(a + quarter, a + half + quarter, t.im, -t.re);
      }
    }
  }
}

/* Keep the power of a number, without its lowest 14 bits, in its place: 46 bits in two words. */
static inline void keep_power(complex *to, int32_t re, int32_t im) {
  uint64_t power = (uint64_t)((int64_t)re * re + (int64_t)im * im) >> 14;
  to->re = (int32_t)(uint32_t)power;
  to->im = (int32_t)(power >> 32);
}

/* Power of the spectrum of real numbers, which were packed in pairs, in the place of their transform and one point more. */
static void powers_of(const int32_t *cosine, complex *z, unsigned n) {
  unsigned half = n / 2;
  keep_power(z + n, z->re - z->im, 0);
  keep_power(z, z->re + z->im, 0);
  keep_power(z + half, z[half].re, z[half].im);
  for (unsigned k = 1; k < half; k++) {
    complex *a = z + k, *b = z + n - k, turn = {a->im + b->im, b->re - a->re};
    int32_t re = (a->re + b->re) >> 1, im = (a->im - b->im) >> 1;
    turn = turned(turn, cosine[k], cosine[half - k]);
    keep_power(a, re + turn.re, im + turn.im);
    keep_power(b, re - turn.re, im - turn.im);
  }
}

static uint64_t energy(uint64_t sum, const complex *power, unsigned count, const uint16_t *w) {
  for (; count; count--, power++, w++) sum += (uint64_t)(uint32_t)power->re * *w + ((uint64_t)((uint32_t)power->im * *w) << 32);
  return sum;
}

static inline int32_t weighted(const dx_mel *e, const int16_t *past, unsigned i) {
  return i < e->window ? past[i] * e->hann[2 * i > e->window ? e->window - i : i] : 0;
}

/* Write windowed samples in pairs, in the order of reversed bits, each twice. */
static void window(const dx_mel *e, const int16_t *past, complex *z) {
  for (unsigned i = 0, j = 0; i < e->points; i += 2) { /* j: the bits of i reversed, below half of the points */
    unsigned first = 2 * j, bit = e->points / 4;
    z[i].re = weighted(e, past, first);
    z[i].im = weighted(e, past, first + 1);
    z[i + 1] = z[i];
    while (bit & j) {
      j ^= bit;
      bit /= 2;
    }
    j ^= bit;
  }
}

static void run_window(dx_state *s) {
  const dx_mel *e = s->model->mel;
  int16_t *frame = at(s, s->model->frame_at);
  complex *z = at(s, e->scratch_at);
  window(e, at(s, e->past_at), z);
  transform(e->cosine, z, e->points);
  powers_of(e->cosine, z, e->points);
  const uint16_t *w = e->filter;
  int32_t sum = 0, logs[DX_MAX_MEL];
  for (unsigned k = 0; k < e->channels; w += e->filter_length[k++])
    sum += logs[k] = log2_of(e->logarithm, energy(e->energy_floor, z + e->filter_start[k], e->filter_length[k], w));
  for (unsigned k = 0; k < e->channels; k++) {
    int64_t own = e->centred ? (int64_t)e->channels * logs[k] - sum : logs[k];
    int64_t q = (own * e->gain + e->offset + ((int64_t)1 << 35)) >> 36;
    frame[k] = (int16_t)(q > INT16_MAX ? INT16_MAX : q < INT16_MIN ? INT16_MIN : q);
  }
  run_frame(s, frame);
}

/* Take samples up to the end of a frame, and run it if it is complete; NULL for silence. Returns how many were taken. */
static size_t hear(dx_state *s, const int16_t *samples, size_t count) {
  const dx_mel *e = s->model->mel;
  unsigned hop = s->model->hop;
  int16_t *past = at(s, e->past_at);
  if (count > hop - s->filled) count = hop - s->filled;
  amplify(e, at(s, e->level_at), samples, past + (e->window - hop) + s->filled, count);
  s->filled += (uint32_t)count;
  if (s->filled < hop) return count;
  s->filled = 0;
  run_window(s);
  memmove(past, past + hop, (size_t)(e->window - hop) * sizeof *past);
  return count;
}
#endif

#if DX_COCHLEA
#include "dendrix_cochlea.h"

/* As `hear`, with a cochlea. */
static size_t hear_spikes(dx_state *s, const int16_t *samples, size_t count) {
  const dx_model *m = s->model;
  int16_t *frame = at(s, m->frame_at);
  if (count > m->hop - s->filled) count = m->hop - s->filled;
  for (size_t n = 0; n < count; n++) hear_sample(m->cochlea, at(s, m->cochlea->ear_at), samples ? samples[n] : 0, frame);
  s->filled += (uint32_t)count;
  if (s->filled < m->hop) return count;
  s->filled = 0;
  run_frame(s, frame);
  memset(frame, 0, m->channels * sizeof *frame);
  return count;
}
#endif

/* Take values up to the end of a frame, and run it if it is complete; NULL for zeros. Returns how many were taken. */
static size_t take(dx_state *s, const int16_t *values, size_t count) {
#if DX_MEL
  if (s->model->mel) return hear(s, values, count);
#endif
#if DX_COCHLEA
  if (s->model->cochlea) return hear_spikes(s, values, count);
#endif
  int16_t *frame = (int16_t *)at(s, s->model->frame_at) + s->filled;
  size_t left = s->model->channels - s->filled;
  if (count > left) count = left;
  if (values) memcpy(frame, values, count * sizeof *frame);
  else memset(frame, 0, count * sizeof *frame);
  s->filled += (uint32_t)count;
  if (count < left) return count;
  s->filled = 0;
  run_frame(s, at(s, s->model->frame_at));
  return count;
}

size_t dx_size(const dx_model *model) { return model->size; }

int dx_init(void *memory, size_t size, const dx_model *model, uint32_t rate) {
  dx_state *s = memory;
#if DX_DEBUG
  if (!memory || !model || (uintptr_t)memory % 8) return DX_ARGUMENT;
#endif
  if (size < model->size) return DX_SPACE;
  if (rate != model->rate) return DX_RATE;
  memset(memory, 0, model->size);
  s->model = model;
  for (const dx_layer *l = model->layers; l < model->layers + model->layer_count; l++)
    if (l->start) memcpy(at(s, l->membrane_at), l->start, l->outputs * sizeof *l->start);
#if DX_COCHLEA
  if (model->cochlea) rest_ear(model->cochlea, at(s, model->cochlea->ear_at));
#endif
  return DX_MORE;
}

int dx_push(void *memory, const int16_t *values, size_t count) {
  dx_state *s = memory;
#if DX_DEBUG
  if (!memory || (!values && count)) return DX_ARGUMENT;
#endif
  if (s->ended) return DX_ENDED;
  if (count) s->heard = 1;
  while (count && !s->sure) {
    size_t taken_now = take(s, values, count);
    values += taken_now;
    count -= taken_now;
  }
  return s->sure ? DX_SURE : DX_MORE;
}

int dx_stop(void *memory) {
  dx_state *s = memory;
#if DX_DEBUG
  if (!memory) return DX_ARGUMENT;
#endif
  if (s->ended) return DX_ENDED;
  if (!s->heard) return DX_EMPTY;
  if (s->filled && !s->sure) take(s, NULL, SIZE_MAX);
  int16_t *frame = at(s, s->model->frame_at);
  memset(frame, 0, s->model->channels * sizeof *frame);
  for (unsigned t = 0; t < s->model->tail && !s->sure; t++) run_frame(s, frame);
  s->ended = 1;
  return s->sure ? DX_SURE : DX_MORE;
}

int dx_result(const void *memory, dx_answer *answer) {
  const dx_state *s = memory;
#if DX_DEBUG
  if (!memory || !answer) return DX_ARGUMENT;
#endif
  dx_answered(&s->model->decision, totals(s), s->steps, s->sure, answer);
  return DX_MORE;
}

#if DX_SPIKES
void dx_run(void *memory, const int16_t *values) {
  dx_state *s = memory;
  int16_t *frame = at(s, s->model->frame_at);
  if (values) memcpy(frame, values, s->model->channels * sizeof *frame);
  else memset(frame, 0, s->model->channels * sizeof *frame);
  run_frame(s, frame);
}

const uint8_t *dx_spikes(const void *memory, unsigned layer) {
  const dx_state *s = memory;
  return (const uint8_t *)memory + s->model->layers[layer].fired_at;
}
#endif

#ifdef DX_TRACE
const int64_t *dx_totals(const void *memory) { return totals(memory); }
#endif
