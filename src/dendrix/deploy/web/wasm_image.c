/* The engine of image networks for WebAssembly: its tables are an image of memory that is loaded at run time. Built by `make wasm`. */
#include "dendrix_image.c"
#include "tables.h"

enum { MAGIC = 0x31495844 }; /* "DXI1" */

/* Turn the offsets of the tables into addresses. Returns the network, or NULL for something else. */
EXPORT(load) dx_image_model *load(image *start) {
  uintptr_t base = (uintptr_t)start;
  if (start->magic != MAGIC) return NULL;
  dx_image_model *m = (dx_image_model *)(base + start->model);
  MOVE(m->stages);
  MOVE(m->centre);
  MOVE(m->decision.bounds);
  MOVE(m->decision.powers);
  for (unsigned i = 0; i < m->stage_count; i++) {
    dx_stage *p = (dx_stage *)m->stages + i;
    MOVE(p->edges);
    MOVE(p->bias);
    MOVE(p->threshold);
    MOVE(p->start);
    for (unsigned k = 0; k < p->edge_count; k++) {
      dx_edge *e = (dx_edge *)p->edges + k;
      MOVE(e->weight);
      MOVE(e->gain);
    }
  }
  return m;
}

EXPORT(size) size_t size(const dx_image_model *m) { return dx_image_size(m); }
EXPORT(init) int init(void *memory, size_t bytes, const dx_image_model *m) { return dx_image_init(memory, bytes, m); }
EXPORT(push) int push(void *memory, const uint8_t *pixels, size_t count) { return dx_image_push(memory, pixels, count); }
EXPORT(stop) int stop(void *memory) { return dx_image_stop(memory); }
EXPORT(result) int result(const void *memory, dx_answer *answer) { return dx_image_result(memory, answer); }
EXPORT(step) int step(void *memory) { return dx_image_step(memory); }
EXPORT(totals) const int64_t *totals_of(const void *memory) { return dx_image_totals(memory); }
