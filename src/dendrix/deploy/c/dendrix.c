/* Engine of spiking networks in whole numbers. C99; needs stdint.h and string.h alone.
 *
 * Every number equals that of the numpy reference of dendrix, to the bit. Pending sums lie in a ring of rows, one for each step to come;
 * a spike is scattered into the ring of the next layer at once. The first layer gathers from a history of frames instead.
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

static void *at(dx_state *s, uint32_t offset) { return (unsigned char *)s + offset; }

static int32_t saturated(int64_t x) { return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x); }

static int64_t times(int32_t x, uint16_t decay) { return ((int64_t)x * decay + 16384) >> 15; }

static int64_t shifted(int32_t x, unsigned bits) { return (int64_t)x * ((int64_t)1 << bits); }

#if DX_PACKED
static int32_t packed_weight(uint8_t b) { return (int32_t)((b & 15u) ^ 8u) - 8; }
#endif

/* Where the rows of a ring of pending sums begin, by delay: row (now + delay) mod rows. */
static void find_rows(void **base, void *ring, int wide, unsigned rows, unsigned now, unsigned taps, unsigned outputs) {
  for (unsigned d = 0; d < taps; d++) {
    base[d] = (unsigned char *)ring + (size_t)now * outputs * (wide ? 4u : 2u);
    now = now + 1 == rows ? 0 : now + 1;
  }
}

/* Send a spike into the rows. */
#define SEND(type, decode, late)             \
  for (unsigned o = 0; o < outputs; o++) {   \
    type *sum = (type *)base[late] + o;      \
    *sum = (type)(*sum + (decode));          \
  }

static void send(void *const *base, int wide, unsigned outputs, const int8_t *w, const uint8_t *d, int packed) {
#if DX_PACKED
  if (packed) {
    if (wide) SEND(int32_t, packed_weight(d[o]), d[o] >> 4)
    else SEND(int16_t, packed_weight(d[o]), d[o] >> 4)
    return;
  }
#else
  (void)packed;
#endif
  if (wide) SEND(int32_t, w[o], d[o])
  else SEND(int16_t, w[o], d[o])
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

/* Weighted frames of the past that reach neuron o of the first layer now; `rows` are the frames, the newest first. */
#define GATHER(type, decode, late)                                                       \
  for (unsigned j = 0; j < n;)                                                           \
    for (unsigned i = 0; i < l->inputs; i++, j++) sum += (int32_t)(decode) * ((const type *)rows[late])[i];

static int32_t gathered(const dx_layer *l, const void *const *rows, int wide, unsigned o) {
  unsigned n = l->inputs * l->synapses;
  const int8_t *w = l->packed ? NULL : l->weight + (size_t)o * n;
  const uint8_t *d = l->delay + (size_t)o * n;
  int32_t sum = 0;
#if DX_PACKED
  if (l->packed) {
    if (wide) GATHER(int16_t, packed_weight(d[j]), d[j] >> 4)
    else GATHER(int8_t, packed_weight(d[j]), d[j] >> 4)
    return sum;
  }
#endif
  if (wide) GATHER(int16_t, w[j], d[j])
  else GATHER(int8_t, w[j], d[j])
  return sum;
}

/* One step of the neurons of a layer; returns whether neuron o spikes. */
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

static unsigned row_of(const dx_state *s, unsigned rows) { return rows ? (unsigned)(s->steps % rows) : 0; }

static void run_layer(dx_state *s, unsigned index, const void *history, uint8_t *spikes) {
  const dx_model *m = s->model;
  const dx_layer *l = m->layers + index, *next = index + 1u < m->layer_count ? l + 1 : NULL;
  int32_t *v = at(s, l->membrane_at), *slow = at(s, l->slow_at);
  void *ring = at(s, l->pending_at), *own = at(s, l->feedback_at), *ahead[DX_MAX_TAPS], *again[DX_MAX_TAPS];
  const void *past[DX_MAX_TAPS];
  unsigned now = row_of(s, l->taps), rows = l->feedback_taps + 1u, back = row_of(s, rows), out = l->outputs;
  if (!index)
    for (unsigned d = 0; d < l->taps; d++) past[d] = (const unsigned char *)history + d * l->inputs * (m->wide_input ? 2u : 1u);
  if (next) find_rows(ahead, at(s, next->pending_at), next->wide, next->taps, row_of(s, next->taps), next->taps, next->outputs);
  find_rows(again, own, l->feedback_wide, rows, (back + 1) % rows, l->feedback_taps, out);
  for (unsigned o = 0; o < out; o++) {
    int32_t sum = index ? taken(ring, l->wide, (size_t)now * out + o) : gathered(l, past, m->wide_input, o);
    int64_t drive = shifted(sum, l->shift) + l->bias[o];
    if (l->feedback_synapses) drive += shifted(taken(own, l->feedback_wide, (size_t)back * out + o), l->feedback_shift);
    int spike = fires(l, o, drive, v, slow);
    if (!next && l->kind != DX_LI) spikes[o] = (uint8_t)spike;
    if (!spike) continue;
    for (unsigned k = 0; k < l->feedback_synapses; k++) {
      size_t start = ((size_t)k * out + o) * out;
      send(again, l->feedback_wide, out, l->packed ? NULL : l->feedback_weight + start, l->feedback_delay + start, l->packed);
    }
    for (unsigned k = 0; next && k < next->synapses; k++) {
      size_t start = ((size_t)k * out + o) * next->outputs;
      send(ahead, next->wide, next->outputs, next->packed ? NULL : next->weight + start, next->delay + start, next->packed);
    }
  }
}

static const int64_t *totals(const dx_state *s) { return (const int64_t *)(const void *)((const unsigned char *)s + s->model->total_at); }

static int32_t output(dx_state *s, const uint8_t *spikes, unsigned k) {
  const dx_layer *last = s->model->layers + (s->model->layer_count - 1);
  return last->kind == DX_LI ? ((int32_t *)at(s, last->membrane_at))[k] : spikes[k];
}

/* One time step on a frame that stands in the first row of the history. */
static void run_step(dx_state *s, const void *history) {
  const dx_model *m = s->model;
  int64_t *total = at(s, m->total_at);
  uint8_t spikes[DX_MAX_CLASSES] = {0};
  for (unsigned l = 0; l < m->layer_count; l++) run_layer(s, l, history, spikes);
  s->steps++;
  for (unsigned k = 0; k < m->decision.classes; k++)
    total[k] = output(s, spikes, k) + (m->decision.accumulation == DX_LAST ? 0 : total[k]);
  s->sure = (uint8_t)dx_is_sure(&m->decision, total, s->steps, at(s, m->streak_at));
}

/* Write a frame into the history, newest first and twice, so that all rows of the past follow on one another; and run a step. */
static void run_frame(dx_state *s, const int16_t *frame) {
  const dx_model *m = s->model;
  unsigned rows = m->layers->taps, n = m->channels, row = rows - 1 - row_of(s, rows);
  void *history = at(s, m->history_at);
  for (unsigned i = 0; i < n; i++) {
    if (m->wide_input) {
      int16_t *wide = history;
      wide[row * n + i] = wide[(row + rows) * n + i] = frame[i];
    } else {
      int8_t *narrow = history;
      narrow[row * n + i] = narrow[(row + rows) * n + i] = (int8_t)(frame[i] > 127 ? 127 : frame[i] < -128 ? -128 : frame[i]);
    }
  }
  run_step(s, (unsigned char *)history + (size_t)row * n * (m->wide_input ? 2u : 1u));
}

#if DX_MEL
static int leading_zeros(uint32_t x) { /* x > 0 */
  int n = 0;
  if (!(x >> 16)) { n += 16; x <<= 16; }
  if (!(x >> 24)) { n += 8; x <<= 8; }
  if (!(x >> 28)) { n += 4; x <<= 4; }
  if (!(x >> 30)) { n += 2; x <<= 2; }
  return n + !(x >> 31);
}

/* (a b + c d) / 2^30, rounded, for a and c that are times 4 already: the upper word of the sum, which costs no shift. */
static inline int32_t turned(int32_t a, int32_t b, int32_t c, int32_t d) {
  return (int32_t)(((int64_t)a * b + (int64_t)c * d + ((int64_t)1 << 31)) >> 32);
}

/* log2(x) in 16 fractional bits, x > 0. */
static int32_t log2_of(const uint32_t *table, uint64_t x) {
  uint32_t high = (uint32_t)(x >> 32);
  int n = high ? 63 - leading_zeros(high) : 31 - leading_zeros((uint32_t)x);
  uint32_t f = (uint32_t)(n >= 16 ? x >> (n - 16) : x << (16 - n)) & 0xffffu, i = f >> 10;
  return (int32_t)(((uint32_t)n << 16) + table[i] + (((table[i + 1] - table[i]) * (f & 1023u)) >> 10));
}

/* Follow the peak, and amplify the sample to it. */
static int16_t amplified(const dx_mel *e, uint32_t *level, int16_t x) {
  uint32_t size = (uint32_t)(x < 0 ? -(int32_t)x : x) << 16;
  if (!e->keep) return x;
  *level = (uint32_t)(((uint64_t)*level * e->keep) >> 32);
  if (size > *level) *level = size;
  uint32_t peak = *level + e->floor;
  int up = leading_zeros(peak);
  return (int16_t)((x * (int32_t)(0x7fffffffu / ((peak << up) >> 16))) >> (16 - up));
}

/* One butterfly: a and b become their sum and difference, where b is turned already. */
static void butterfly(int32_t *a, int32_t *b, int32_t value) {
  *b = *a - value;
  *a += value;
}

/* Complex transform of `n` points in place, in the order of reversed bits at the start; every second point repeats the one before it, as
 * that of zeros follows it. Factors of 1 and -i need no product, and give what the product would. */
static void transform(const dx_mel *e, int32_t *re, int32_t *im) {
  unsigned n = e->points;
  for (unsigned size = 4; size <= n; size *= 2) {
    unsigned half = size / 2, quarter = size / 4, stride = 2 * n / size;
    for (unsigned b = 0; b < n; b += size) {
      int32_t r = re[b + half + quarter], i = im[b + half + quarter];
      butterfly(re + b, re + b + half, re[b + half]);
      butterfly(im + b, im + b + half, im[b + half]);
      butterfly(re + b + quarter, re + b + half + quarter, i);
      butterfly(im + b + quarter, im + b + half + quarter, -r);
    }
    for (unsigned k = 1; k < half; k++) {
      int32_t wr = e->cosine[k * stride], wi = e->sine[k * stride];
      if (k == quarter) continue;
      for (unsigned b = k; b < n; b += size) {
        int32_t r = re[b + half] * 4, i = im[b + half] * 4;
        butterfly(re + b, re + b + half, turned(r, wr, -i, wi));
        butterfly(im + b, im + b + half, turned(r, wi, i, wr));
      }
    }
  }
}

static uint64_t power(int32_t re, int32_t im) { return (uint64_t)((int64_t)re * re + (int64_t)im * im) >> 16; }

static void keep_power(int32_t *re, int32_t *im, unsigned k, uint64_t p) {
  re[k] = (int32_t)(p >> 31);
  im[k] = (int32_t)(p & 0x7fffffffu);
}

/* Power of twice the real spectrum, in place: 62 bits in two halves. Returns that of the last bin, which has no place. */
static uint64_t powers_of(const dx_mel *e, int32_t *re, int32_t *im) {
  unsigned n = e->points;
  uint64_t last = power(2 * (re[0] - im[0]), 0);
  keep_power(re, im, 0, power(2 * (re[0] + im[0]), 0));
  for (unsigned k = 1; k <= n / 2; k++) {
    unsigned j = n - k;
    int32_t sr = re[k] + re[j], si = im[k] + im[j], dr = re[k] - re[j], di = im[k] - im[j];
    int32_t a = dr * 4, b = si * 4;
    keep_power(re, im, k, power(sr + turned(a, e->sine[k], b, e->cosine[k]), di - turned(a, e->cosine[k], -b, e->sine[k])));
    keep_power(re, im, j, power(sr + turned(-a, e->sine[j], b, e->cosine[j]), -di - turned(-a, e->cosine[j], -b, e->sine[j])));
  }
  return last;
}

static uint64_t energy(const dx_mel *e, const int32_t *re, const int32_t *im, uint64_t last, unsigned channel, const uint16_t *w) {
  uint64_t sum = e->energy_floor;
  for (unsigned i = e->filter_start[channel], j = 0; j < e->filter_length[channel]; i++, j++)
    sum += (i < e->points ? ((uint64_t)(uint32_t)re[i] << 31 | (uint32_t)im[i]) : last) * w[j];
  return sum;
}

static int32_t weighted(const dx_mel *e, const int16_t *past, unsigned i) {
  return i < e->window ? ((int32_t)past[i] * e->hann[i] + 2048) >> 12 : 0;
}

static void run_window(dx_state *s) {
  const dx_mel *e = s->model->mel;
  const int16_t *past = at(s, e->past_at);
  int16_t *frame = at(s, s->model->frame_at);
  int32_t *re = at(s, e->scratch_at), *im = re + e->points;
  for (unsigned i = 0, j = 0; i < e->points; i += 2) { /* j: the bits of i reversed, below half of the points */
    int32_t r = weighted(e, past, 2 * j), m = weighted(e, past, 2 * j + 1);
    re[i] = re[i + 1] = r;
    im[i] = im[i + 1] = m;
    unsigned bit = e->points / 4;
    while (bit & j) {
      j ^= bit;
      bit /= 2;
    }
    j ^= bit;
  }
  transform(e, re, im);
  uint64_t last = powers_of(e, re, im);
  const uint16_t *w = e->filter;
  int32_t sum = 0, logs[DX_MAX_MEL];
  for (unsigned k = 0; k < e->channels; w += e->filter_length[k++]) sum += logs[k] = log2_of(e->logarithm, energy(e, re, im, last, k, w));
  for (unsigned k = 0; k < e->channels; k++) {
    int64_t own = e->centred ? (int64_t)e->channels * logs[k] - sum : logs[k];
    int64_t q = (own * e->gain + e->offset + ((int64_t)1 << 35)) >> 36;
    frame[k] = (int16_t)(q > INT16_MAX ? INT16_MAX : q < INT16_MIN ? INT16_MIN : q);
  }
  run_frame(s, frame);
}

static void hear(dx_state *s, int16_t x) {
  const dx_mel *e = s->model->mel;
  int16_t *past = at(s, e->past_at);
  past[e->window - e->hop + s->filled++] = amplified(e, at(s, e->level_at), x);
  if (s->filled < e->hop) return;
  s->filled = 0;
  run_window(s);
  memmove(past, past + e->hop, (size_t)(e->window - e->hop) * sizeof *past);
}
#endif

static void take(dx_state *s, int16_t value) {
#if DX_MEL
  if (s->model->mel) {
    hear(s, value);
    return;
  }
#endif
  int16_t *frame = at(s, s->model->frame_at);
  frame[s->filled++] = value;
  if (s->filled < s->model->channels) return;
  s->filled = 0;
  run_frame(s, frame);
}

size_t dx_size(const dx_model *model) { return model->size; }

int dx_init(void *memory, size_t size, const dx_model *model, uint32_t rate) {
  dx_state *s = memory;
#if DX_DEBUG
  if (!memory || !model || (uintptr_t)memory % 8) return DX_ARGUMENT;
#endif
  if (size < model->size) return DX_SPACE;
  if (rate != (model->mel ? model->mel->rate : 0)) return DX_RATE;
  memset(memory, 0, model->size);
  s->model = model;
  for (const dx_layer *l = model->layers; l < model->layers + model->layer_count; l++)
    if (l->start) memcpy(at(s, l->membrane_at), l->start, l->outputs * sizeof *l->start);
  return DX_MORE;
}

int dx_push(void *memory, const int16_t *values, size_t count) {
  dx_state *s = memory;
#if DX_DEBUG
  if (!memory || (!values && count)) return DX_ARGUMENT;
#endif
  if (s->ended) return DX_ENDED;
  while (count-- && !s->sure) {
    s->heard = 1;
    take(s, *values++);
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
  while (s->filled && !s->sure) take(s, 0);
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

#ifdef DX_TRACE
const int64_t *dx_totals(const void *memory) { return totals(memory); }
#endif
