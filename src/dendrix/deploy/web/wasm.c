/* The engine for WebAssembly, for every kind of network: its tables are an image that is loaded at run time. Built by `make wasm`. */
#include "dendrix.c"
#include "tables.h"

enum { MAGIC = 0x314e5844 }; /* "DXN1" */

/* Turn the offsets of a network into addresses. */
static void relocate(uintptr_t base, dx_model *m) {
  MOVE(m->layers);
  MOVE(m->mel);
  MOVE(m->cochlea);
  MOVE(m->decision.bounds);
  MOVE(m->decision.powers);
  for (unsigned i = 0; i < m->layer_count; i++) {
    dx_layer *l = (dx_layer *)m->layers + i;
    MOVE(l->weight);
    MOVE(l->feedback_weight);
    MOVE(l->delay);
    MOVE(l->feedback_delay);
    MOVE(l->decay);
    MOVE(l->slow_decay);
    MOVE(l->bias);
    MOVE(l->threshold);
    MOVE(l->reset);
    MOVE(l->start);
    MOVE(l->coupling);
    MOVE(l->jump);
  }
  if (m->mel) {
    dx_mel *e = (dx_mel *)m->mel;
    MOVE(e->hann);
    MOVE(e->cosine);
    MOVE(e->filter_start);
    MOVE(e->filter_length);
    MOVE(e->filter);
    MOVE(e->logarithm);
  }
  if (m->cochlea) {
    dx_cochlea *e = (dx_cochlea *)m->cochlea;
    MOVE(e->drive);
    MOVE(e->near);
    MOVE(e->far);
  }
}

/* The network of an image, or NULL for something else. */
EXPORT(load) dx_model *load(image *start) {
  dx_model *m = (dx_model *)((uintptr_t)start + start->model);
  if (start->magic != MAGIC) return NULL;
  relocate((uintptr_t)start, m);
  return m;
}

EXPORT(size) size_t size(const dx_model *m) { return dx_size(m); }
EXPORT(init) int init(void *memory, size_t bytes, const dx_model *m, uint32_t rate) { return dx_init(memory, bytes, m, rate); }
EXPORT(push) int push(void *memory, const int16_t *values, size_t count) { return dx_push(memory, values, count); }
EXPORT(stop) int stop(void *memory) { return dx_stop(memory); }
EXPORT(result) int result(const void *memory, dx_answer *answer) { return dx_result(memory, answer); }
EXPORT(spikes) const uint8_t *spikes_of(const void *memory, unsigned layer) { return dx_spikes(memory, layer); }
EXPORT(run) void run(void *memory, const int16_t *frame) { dx_run(memory, frame); }
EXPORT(frame) const int16_t *frame_of(const void *memory, const dx_model *m) { return (const int16_t *)((const char *)memory + m->frame_at); }
EXPORT(delays) const uint8_t *delays(const dx_model *m, unsigned layer) { return m->layers[layer].delay; }
EXPORT(totals) const int64_t *totals_of(const void *memory) { return dx_totals(memory); }
