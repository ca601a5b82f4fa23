/* The engine of language models for the page: it also counts, and changes temperature and seed in the middle of a text. */
#include <stdint.h>

enum { MOST = 4096 };
/* The number of counts, and the counts, since the page last set it to 0. */
static uint32_t inputs[MOST + 1], sums[MOST + 1], spikes[MOST + 1];

static void count_inputs(const int16_t *x, uint32_t n) {
  if (inputs[0] == MOST) return;
  uint32_t *count = &inputs[++inputs[0]], *sum = &sums[inputs[0]];
  *count = *sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    *count += x[i] != 0;
    *sum += (uint32_t)(x[i] < 0 ? -x[i] : x[i]);
  }
}

static void count_spikes(const int32_t *x, uint32_t n) {
  if (spikes[0] == MOST) return;
  uint32_t *count = &spikes[++spikes[0]];
  *count = 0;
  for (uint32_t i = 0; i < n; i++) *count += x[i] != 0;
}

#define DX_TEXT_WATCH count_inputs
#define DX_TEXT_FIRED count_spikes
#include "text/text.c"

/* Counts of the inputs of every product that are not 0, in the order in which products are computed. */
EXPORT(inputs) uint32_t *inputs_at(void) { return inputs; }
/* Sums of the magnitudes of the same inputs: of spike counts, the spikes. */
EXPORT(sums) uint32_t *sums_at(void) { return sums; }
/* Counts of the neurons that spike, by group. */
EXPORT(spikes) uint32_t *spikes_at(void) { return spikes; }

/* Choose the next tokens by another temperature, in thousandths, and seed. `other` is memory for a text, which is lost. */
EXPORT(choose) int choose_by(void *memory, void *other, uint32_t temperature, uint64_t seed) {
  dx_text *t = memory, *made = other;
  int status = dx_text_init(other, dx_text_size(t->model), t->model, temperature, seed);
  if (status) return status;
  t->seed = made->seed;
  t->sharpness = made->sharpness;
  return DX_TEXT_OK;
}
