/* Reads one image of bytes [height][width][channels] from standard input, and prints the decision as a line of JSON. */
#include <stdio.h>
#include "dendrix_image.h"
#include "model.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_SIZE];
} memory;

int main(void) {
  const dx_image_model *model = &dx_network;
  unsigned char piece[256];
  dx_answer answer;
  size_t count;
  int status = dx_image_init(&memory, sizeof memory, model);
  while (status == DX_MORE && (count = fread(piece, 1, sizeof piece, stdin)) > 0) status = dx_image_push(&memory, piece, count);
  if (status == DX_MORE) status = dx_image_stop(&memory);
  if (status < 0) {
    fprintf(stderr, "dendrix: expected %lu bytes on standard input, one image, got error %d.\n",
            (unsigned long)model->height * model->width * model->channels, status);
    return 1;
  }
  dx_image_result(&memory, &answer);
  printf("{\"label\": ");
  if (answer.label < 0) printf("null");
  else printf("\"%s\"", model->labels[answer.label]);
  printf(", \"confidence\": %lu.%06lu, \"steps\": %lu, \"stopped\": %s}\n", (unsigned long)(answer.confidence >> 16),
         (unsigned long)(((uint64_t)(answer.confidence & 0xffffu) * 1000000u) >> 16), (unsigned long)answer.steps,
         answer.stopped ? "true" : "false");
  return 0;
}
