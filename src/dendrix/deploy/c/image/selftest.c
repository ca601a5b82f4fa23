/* Runs the test vectors of the network and compares every step with the reference: `make test`. */
#include <stdio.h>
#include <string.h>
#include "../dendrix_image.h"
#include "../model.h"
#include "vectors.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_SIZE];
} memory;

static int failed(const char *what, unsigned long image, unsigned long step) {
  printf("image %lu, step %lu: %s differs from the reference.\n", image, step, what);
  return 1;
}

/* An image at full length, one step at a time, against the accumulated outputs after every step. */
static int traced(unsigned long image, const uint8_t *pixels, size_t count, const int64_t *total) {
  dx_image_model all = dx_network;
  all.decision.rule = DX_NEVER;
  if (dx_image_init(&memory, sizeof memory, &all) || dx_image_push(&memory, pixels, count)) return failed("the start", image, 0);
  for (uint32_t t = 0; t < all.steps; t++, total += all.decision.classes) {
    if (dx_image_step(&memory)) return failed("the status", image, t);
    if (memcmp(dx_image_totals(&memory), total, all.decision.classes * sizeof *total)) return failed("an output", image, t);
  }
  return 0;
}

/* An image in uneven pieces, until the exit rule stops it. */
static int decided(unsigned long image, const uint8_t *pixels, size_t count, const int32_t *expected) {
  dx_answer answer;
  int status = dx_image_init(&memory, sizeof memory, &dx_network);
  for (size_t done = 0, piece = 1; status == DX_MORE && done < count; done += piece, piece = (piece * 7 + 3) % 61) {
    if (piece > count - done) piece = count - done;
    status = dx_image_push(&memory, pixels + done, piece);
  }
  if (status == DX_MORE) status = dx_image_stop(&memory);
  if (status < 0) return failed("the status", image, 0);
  dx_image_result(&memory, &answer);
  if (answer.label != expected[0] || (int32_t)answer.steps != expected[1] || answer.stopped != expected[2] ||
      (int32_t)answer.confidence != expected[3])
    return failed("the answer", image, answer.steps);
  return 0;
}

int main(void) {
  size_t count = (size_t)dx_network.height * dx_network.width * dx_network.channels;
  for (unsigned long i = 0; i < TEST_IMAGES; i++) {
    const uint8_t *pixels = test_pixels + i * count;
    if (traced(i, pixels, count, test_totals + i * dx_network.steps * dx_network.decision.classes) ||
        decided(i, pixels, count, test_answers + 4 * i))
      return 1;
  }
  printf("%d images equal the reference at every step.\n", TEST_IMAGES);
  return 0;
}
