/* Reads one clip of 16-bit little-endian values from standard input, samples or frames, and prints the decision as a line of JSON. */
#include <stdio.h>
#include "dendrix.h"
#include "model.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_SIZE];
} memory;

/* Prints a text as a string of JSON. */
static void print_text(const char *text) {
  putchar('"');
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < 32u) printf("\\u%04x", (unsigned)c);
    else {
      if (c == '"' || c == '\\') putchar('\\');
      putchar(c);
    }
  }
  putchar('"');
}

int main(void) {
  const dx_model *model = &dx_network;
  unsigned char pair[2];
  dx_answer answer;
  int status = dx_init(&memory, sizeof memory, model, DX_RATE_HZ);
  while (status == DX_MORE && fread(pair, 1, 2, stdin) == 2) {
    unsigned bits = (unsigned)pair[0] | (unsigned)pair[1] << 8;
    int16_t value = (int16_t)(bits & 0x8000u ? (int)bits - 65536 : (int)bits);
    status = dx_push(&memory, &value, 1);
  }
  if (status == DX_MORE) status = dx_stop(&memory);
  if (status < 0) {
    fprintf(stderr, "dendrix: expected 16-bit values on standard input, got error %d.\n", status);
    return 1;
  }
  dx_result(&memory, &answer);
  printf("{\"label\": ");
  if (answer.label < 0) printf("null");
  else print_text(model->labels[answer.label]);
  printf(", \"confidence\": %lu.%06lu, \"steps\": %lu, \"stopped\": %s}\n", (unsigned long)(answer.confidence >> 16),
         (unsigned long)(((uint64_t)(answer.confidence & 0xffffu) * 1000000u) >> 16), (unsigned long)answer.steps,
         answer.stopped ? "true" : "false");
  return 0;
}
