/* Engine of spiking image networks in whole numbers. C99; needs stdint.h and string.h alone.
 *
 * Every number equals that of the numpy reference of dendrix, to the bit. A map of few spikes is scattered, one row of weights for each
 * spike and tap; a full one is gathered, one block of outputs at a time. Sums of whole numbers are the same in any order.
 */
#include "dendrix_image.h"
#include <string.h>

#ifndef DX_DEBUG
#define DX_DEBUG 0
#endif
#ifndef DX_DENSE
#define DX_DENSE 2 /* maps with more than one value of so many that is not zero are gathered */
#endif
#define BLOCK 16u /* outputs that are summed at a time */

typedef char dx_shift_is_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

typedef struct {
  const dx_image_model *model;
  uint32_t steps, filled;
  uint8_t sure, ended;
} dx_image_state;

typedef char dx_image_header_fits[sizeof(dx_image_state) <= 32 ? 1 : -1];

static void *at(dx_image_state *s, uint32_t offset) { return (unsigned char *)s + offset; }

static size_t size_of(const dx_stage *p) { return (size_t)p->height * p->width * p->channels; }

static int32_t scaled(int32_t value, unsigned shift) { return value * ((int32_t)1 << shift); }

/* Taps of a kernel, first and last in steps of the stride, that carry place `from` (padding added) into an output below `size`. */
typedef struct {
  unsigned first, last;
} span;

static span span_of(unsigned from, unsigned kernel, unsigned stride, unsigned size) {
  unsigned reach = (size - 1) * stride;
  span found = {from > reach ? from - reach : 0, from < kernel ? from : kernel - 1};
  found.first += (from - found.first) % stride;
  return found;
}

/* Add a row of weights, times a value. */
static void add_row(int32_t *restrict sums, const int8_t *restrict weight, unsigned n, int32_t value) {
  for (unsigned o = 0; o < n; o++) sums[o] += value * weight[o];
}

/* Send every value that is not zero along its taps. */
static void scatter(const dx_edge *e, const dx_stage *p, const int16_t *x, int32_t *sums) {
  unsigned out = p->channels / e->groups, share = e->in_channels / e->groups;
  size_t kernel = (size_t)e->kernel_height * e->kernel_width * out;
  for (unsigned r = 0; r < e->in_height; r++) {
    unsigned y = r + e->padding_height;
    span rows = span_of(y, e->kernel_height, e->stride_height, p->height);
    for (unsigned c = 0; c < e->in_width; c++, x += e->in_channels) {
      unsigned z = c + e->padding_width;
      span columns = span_of(z, e->kernel_width, e->stride_width, p->width);
      for (unsigned k = 0; k < e->in_channels; k++) {
        if (!x[k]) continue;
        const int8_t *weight = e->weight + k * kernel;
        int32_t value = scaled(x[k], e->shift);
        for (unsigned i = rows.first; i <= rows.last; i += e->stride_height) {
          size_t row = (size_t)((y - i) / e->stride_height) * p->width;
          for (unsigned j = columns.first; j <= columns.last; j += e->stride_width)
            add_row(sums + (row + (z - j) / e->stride_width) * p->channels + k / share * out,
                    weight + ((size_t)i * e->kernel_width + j) * out, out, value);
        }
      }
    }
  }
}

/* Sums of a block of outputs at one place, over the part of the window that lies on the map. */
static void gather_block(const dx_edge *e, const int16_t *x, const int8_t *weight, unsigned out, int y, int z, int32_t *sums) {
  size_t kernel = (size_t)e->kernel_height * e->kernel_width * out;
  int32_t sum[BLOCK] = {0};
  for (int i = 0; i < e->kernel_height; i++) {
    if (y + i < 0 || y + i >= e->in_height) continue;
    for (int j = 0; j < e->kernel_width; j++) {
      if (z + j < 0 || z + j >= e->in_width) continue;
      const int16_t *value = x + ((size_t)(y + i) * e->in_width + (size_t)(z + j)) * e->in_channels;
      const int8_t *w = weight + (size_t)(i * e->kernel_width + j) * out;
      for (unsigned k = 0; k < e->in_channels; k++, w += kernel)
        for (unsigned o = 0; o < BLOCK; o++) sum[o] += value[k] * w[o];
    }
  }
  for (unsigned o = 0; o < BLOCK; o++) sums[o] += scaled(sum[o], e->shift);
}

static void gather(const dx_edge *e, const dx_stage *p, const int16_t *x, int32_t *sums) {
  for (int r = 0; r < p->height; r++)
    for (int c = 0; c < p->width; c++, sums += p->channels)
      for (unsigned o = 0; o < p->channels; o += BLOCK)
        gather_block(e, x, e->weight + o, p->channels, r * e->stride_height - e->padding_height, c * e->stride_width - e->padding_width,
                     sums + o);
}

/* Whether a map has so many values that gathering is faster. */
static int is_full(const dx_edge *e, const dx_stage *p, const int16_t *x) {
  size_t n = (size_t)e->in_height * e->in_width * e->in_channels, count = 0;
  if (e->groups > 1 || p->channels % BLOCK) return 0;
  for (size_t i = 0; i < n; i++) count += x[i] != 0;
  return count * DX_DENSE > n;
}

static void multiply(const dx_edge *e, const dx_stage *p, const int16_t *x, int32_t *sums) {
  for (size_t i = 0, n = size_of(p); i < n; i += p->channels)
    for (unsigned c = 0; c < p->channels; c++) sums[i + c] += scaled(x[i + c] * e->gain[c], e->shift);
}

static void pool(const dx_edge *e, const dx_stage *p, const int16_t *x, int16_t *out) {
  memset(out, 0, size_of(p) * sizeof *out);
  for (int r = 0; r < p->height; r++)
    for (int c = 0; c < p->width; c++, out += p->channels)
      for (int i = 0; i < e->kernel_height; i++) {
        int y = r * e->stride_height + i - e->padding_height;
        if (y < 0 || y >= e->in_height) continue;
        for (int j = 0; j < e->kernel_width; j++) {
          int z = c * e->stride_width + j - e->padding_width;
          if (z < 0 || z >= e->in_width) continue;
          const int16_t *value = x + ((size_t)y * e->in_width + (size_t)z) * e->in_channels;
          for (unsigned k = 0; k < p->channels; k++) out[k] = (int16_t)(out[k] + value[k]);
        }
      }
}

static void add_bias(const dx_stage *p, int32_t *sums) {
  for (size_t i = 0, n = size_of(p); i < n; i += p->channels)
    for (unsigned c = 0; c < p->channels; c++) sums[i + c] += p->bias[c];
}

/* Add the weighted inputs and the bias of a stage to sums. */
static void drive(dx_image_state *s, const dx_stage *p, int32_t *sums) {
  add_bias(p, sums);
  for (const dx_edge *e = p->edges; e < p->edges + p->edge_count; e++) {
    const int16_t *x = at(s, e->source_at);
    if (e->kind == DX_GAIN) multiply(e, p, x, sums);
    else if (is_full(e, p, x)) gather(e, p, x, sums);
    else scatter(e, p, x, sums);
  }
}

static void fire_signed(const dx_stage *p, int32_t *v, int16_t *sent, int16_t *spikes) {
  int limit = p->limit ? p->limit : INT16_MAX;
  for (size_t i = 0, n = size_of(p); i < n; i += p->channels)
    for (unsigned c = 0; c < p->channels; c++) {
      int32_t h = v[i + c];
      int spike = ((h >= p->threshold[c]) & (sent[i + c] < limit)) - ((h < 0) & (sent[i + c] > 0));
      v[i + c] = h - spike * p->threshold[c];
      sent[i + c] = (int16_t)(sent[i + c] + spike);
      spikes[i + c] = (int16_t)spike;
    }
}

static void fire_if(const dx_stage *p, int32_t *v, int16_t *spikes) {
  for (size_t i = 0, n = size_of(p); i < n; i += p->channels)
    for (unsigned c = 0; c < p->channels; c++) {
      int spike = v[i + c] >= p->threshold[c];
      v[i + c] -= spike * p->threshold[c];
      spikes[i + c] = (int16_t)spike;
    }
}

static void run_stage(dx_image_state *s, const dx_stage *p) {
  int32_t *v = at(s, p->membrane_at);
  int16_t *map = at(s, p->map_at);
  if (p->kind == DX_POOL) {
    pool(p->edges, p, at(s, p->edges->source_at), map);
    return;
  }
  if (p->kind == DX_OUT) memset(v, 0, size_of(p) * sizeof *v);
  if (p == s->model->stages) {
    const int32_t *current = at(s, s->model->current_at);
    for (size_t i = 0, n = size_of(p); i < n; i++) v[i] += current[i];
  } else {
    drive(s, p, v);
  }
  if (p->kind == DX_SIGNED) fire_signed(p, v, at(s, p->sent_at), map);
  else if (p->kind == DX_IF) fire_if(p, v, map);
}

static void run_step(dx_image_state *s) {
  const dx_image_model *m = s->model;
  const dx_stage *last = m->stages + (m->stage_count - 1);
  int64_t *total = at(s, m->total_at);
  const int32_t *output = at(s, last->membrane_at);
  for (const dx_stage *p = m->stages; p <= last; p++) run_stage(s, p);
  s->steps++;
  for (unsigned k = 0; k < m->decision.classes; k++) total[k] = dx_added(&m->decision, total[k], output[k], s->steps);
  s->sure = (uint8_t)dx_is_sure(&m->decision, total, s->steps, at(s, m->streak_at));
}

static uint32_t pixels_of(const dx_image_model *m) { return (uint32_t)m->height * m->width * m->channels; }

size_t dx_image_size(const dx_image_model *model) { return model->size; }

int dx_image_init(void *memory, size_t size, const dx_image_model *model) {
  dx_image_state *s = memory;
#if DX_DEBUG
  if (!memory || !model || (uintptr_t)memory % 8) return DX_ARGUMENT;
#endif
  if (size < model->size) return DX_SPACE;
  memset(memory, 0, model->size);
  s->model = model;
  for (const dx_stage *p = model->stages; p < model->stages + model->stage_count; p++) {
    if (p->kind != DX_SIGNED && p->kind != DX_IF) continue;
    int32_t *v = at(s, p->membrane_at);
    for (size_t i = 0, n = size_of(p); i < n; i += p->channels) memcpy(v + i, p->start, p->channels * sizeof *v);
  }
  return DX_MORE;
}

int dx_image_push(void *memory, const uint8_t *pixels, size_t count) {
  dx_image_state *s = memory;
#if DX_DEBUG
  if (!memory || (!pixels && count)) return DX_ARGUMENT;
#endif
  const dx_image_model *m = s->model;
  int16_t *image = at(s, m->image_at);
  if (s->ended || count > pixels_of(m) - s->filled) return DX_ENDED;
  if (!count) return DX_MORE;
  for (; count; count--, s->filled++) image[s->filled] = (int16_t)(*pixels++ - m->centre[s->filled % m->channels]);
  if (s->filled == pixels_of(m)) {
    int32_t *current = at(s, m->current_at);
    memset(current, 0, size_of(m->stages) * sizeof *current);
    drive(s, m->stages, current);
  }
  return DX_MORE;
}

int dx_image_stop(void *memory) {
  dx_image_state *s = memory;
#if DX_DEBUG
  if (!memory) return DX_ARGUMENT;
#endif
  if (s->ended) return DX_ENDED;
  if (s->filled < pixels_of(s->model)) return DX_EMPTY;
  while (s->steps < s->model->steps && !s->sure) run_step(s);
  s->ended = 1;
  return s->sure ? DX_SURE : DX_MORE;
}

int dx_image_result(const void *memory, dx_answer *answer) {
  const dx_image_state *s = memory;
#if DX_DEBUG
  if (!memory || !answer) return DX_ARGUMENT;
#endif
  const unsigned char *start = memory;
  dx_answered(&s->model->decision, (const int64_t *)(const void *)(start + s->model->total_at), s->steps, s->sure, answer);
  return DX_MORE;
}

#ifdef DX_TRACE
int dx_image_step(void *memory) {
  dx_image_state *s = memory;
  if (s->filled < pixels_of(s->model)) return DX_EMPTY;
  run_step(s);
  return s->sure ? DX_SURE : DX_MORE;
}

const int64_t *dx_image_totals(const void *memory) {
  const dx_image_state *s = memory;
  return (const int64_t *)(const void *)((const unsigned char *)memory + s->model->total_at);
}
#endif
