/* Taught words for WebAssembly: the engine of networks, and that of words over it. Built by `make wasm`. */
#include "wasm.c"
#include "dendrix_words.c"

enum { WORDS_MAGIC = 0x31575844 }; /* "DXW1" */

/* Turn the offsets of an image into addresses. Returns the tables, or NULL for something else. */
EXPORT(load_words) dw_words *load_words(image *start) {
  uintptr_t base = (uintptr_t)start;
  if (start->magic != WORDS_MAGIC) return NULL;
  dw_words *w = (dw_words *)(base + start->model);
  MOVE(w->model);
  MOVE(w->directions);
  MOVE(w->mean);
  MOVE(w->gain);
  MOVE(w->gain_shift);
  MOVE(w->rates);
  relocate(base, (dx_model *)w->model);
  return w;
}

EXPORT(words_size) size_t words_size(const dw_words *w) { return dw_size(w); }
EXPORT(words_model) const dx_model *words_model(const dw_words *w) { return w->model; }
EXPORT(words_init) int words_init(void *m, size_t size, const dw_words *w, uint32_t rate, int mode) { return dw_init(m, size, w, rate, mode); }
EXPORT(words_push) int words_push(void *m, const int16_t *x, size_t count, size_t *taken) { return dw_push(m, x, count, taken); }
EXPORT(words_stop) int words_stop(void *m) { return dw_stop(m); }
EXPORT(words_code) const uint8_t *words_code(const void *m, dw_found *found) { return dw_code(m, found); }
EXPORT(words_teach) int words_teach(void *m, dw_word *word, const dw_background *b, uint32_t share) { return dw_teach(m, word, b, share); }
EXPORT(words_score) uint32_t words_score(const dw_words *w, const dw_word *word, const uint8_t *code) { return dw_score(w, word, code); }
EXPORT(words_level) int32_t words_level(const void *m, uint32_t frame) { return dw_level(m, frame); }
EXPORT(words_spikes) const uint8_t *words_spikes(const void *m, uint32_t frame) { return dw_spikes(m, frame); }
EXPORT(words_decide) void words_decide(const dw_words *w, const dw_word *taught, size_t count, const uint8_t *code, dw_match *match) {
  dw_decide(w, taught, count, code, match);
}
