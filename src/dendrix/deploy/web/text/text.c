/* The engine of language models for WebAssembly: its tables are an image that is loaded at run time. Built by `make wasm`. */
#ifdef __wasm_simd128__
#define DX_TEXT_SIMD "text/simd.h"
#endif
#include "dendrix_text.c"
#include "tables.h"

enum { MAGIC = 0x31545844, POINTERS = 7 }; /* "DXT1" */

/* Turn the offsets of an image into addresses. Returns the network, or NULL for something else. */
EXPORT(load) dx_text_model *load(image *start) {
  if (start->magic != MAGIC) return NULL;
  uintptr_t base = (uintptr_t)start, *pointers = (uintptr_t *)(base + start->model);
  for (unsigned i = 0; i < POINTERS; i++) pointers[i] += base;
  return (dx_text_model *)pointers;
}

EXPORT(size) size_t size(const dx_text_model *m) { return dx_text_size(m); }
EXPORT(init) int init(void *memory, size_t bytes, const dx_text_model *m, uint32_t temperature, uint64_t seed) {
  return dx_text_init(memory, bytes, m, temperature, seed);
}
EXPORT(push) int push(void *memory, const uint16_t *tokens, size_t count) { return dx_text_push(memory, tokens, count); }
EXPORT(result) int result(void *memory, dx_text_answer *answer) { return dx_text_result(memory, answer); }
EXPORT(stop) int stop(void *memory) { return dx_text_stop(memory); }
EXPORT(state) const int32_t *state(const void *memory) { return dx_text_state_of(memory); }
EXPORT(state_count) uint32_t state_count(const dx_text_model *m) { return m->state_count; }
