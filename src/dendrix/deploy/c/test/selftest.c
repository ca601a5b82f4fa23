/* Runs the test vectors of the network and compares every step with the reference: `make test`. */
#include <stdio.h>
#include <string.h>
#include "../dendrix.h"
#include "../model.h"
#include "vectors.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_SIZE];
} memory;

static int failed(const char *what, unsigned long clip, unsigned long step) {
  printf("clip %lu, step %lu: %s differs from the reference.\n", clip, step, what);
  return 1;
}

/* A clip at full length, one step at a time, against the accumulated outputs after every step. */
static int traced(unsigned long clip, const int16_t *values, size_t count, const int64_t **total) {
  dx_model all = dx_network;
  size_t step = all.hop ? all.hop : all.channels;
  all.decision.rule = DX_NEVER;
  if (dx_init(&memory, sizeof memory, &all, DX_RATE_HZ)) return failed("the start", clip, 0);
  for (size_t t = 0; t < count / step; t++, *total += all.decision.classes) {
    if (dx_push(&memory, values + t * step, step)) return failed("the status", clip, (unsigned long)t);
    if (memcmp(dx_totals(&memory), *total, all.decision.classes * sizeof **total)) return failed("an output", clip, (unsigned long)t);
  }
  if (dx_push(&memory, values + count / step * step, count % step)) return failed("the status", clip, (unsigned long)(count / step));
  if (dx_stop(&memory)) return failed("the end", clip, 0);
  if (memcmp(dx_totals(&memory), *total, all.decision.classes * sizeof **total)) return failed("the last output", clip, 0);
  *total += all.decision.classes;
  return 0;
}

/* A clip in uneven pieces, until the exit rule stops it. */
static int decided(unsigned long clip, const int16_t *values, size_t count, const int32_t *expected) {
  dx_answer answer;
  int status = dx_init(&memory, sizeof memory, &dx_network, DX_RATE_HZ);
  for (size_t done = 0, piece = 1; status == DX_MORE && done < count; done += piece, piece = (piece * 7 + 3) % 61) {
    if (piece > count - done) piece = count - done;
    status = dx_push(&memory, values + done, piece);
  }
  if (status == DX_MORE) status = dx_stop(&memory);
  if (status < 0) return failed("the status", clip, 0);
  dx_result(&memory, &answer);
  if (answer.label != expected[0] || (int32_t)answer.steps != expected[1] || answer.stopped != expected[2] ||
      (int32_t)answer.confidence != expected[3])
    return failed("the answer", clip, answer.steps);
  return 0;
}

int main(void) {
  const int16_t *values = test_values;
  const int64_t *total = test_totals;
  for (unsigned long clip = 0; clip < TEST_CLIPS; clip++) {
    if (traced(clip, values, test_lengths[clip], &total) || decided(clip, values, test_lengths[clip], test_answers + 4 * clip)) return 1;
    values += test_lengths[clip];
  }
  printf("%d clips equal the reference at every step.\n", TEST_CLIPS);
  return 0;
}
