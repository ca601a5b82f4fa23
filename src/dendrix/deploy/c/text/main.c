/* Continues the text on standard input: text [TOKENS [TEMPERATURE in thousandths [SEED]]] */
#include <stdio.h>
#include <stdlib.h>
#include "dendrix_text.h"
#include "model.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_TEXT_SIZE];
} memory;

/* The next token of standard input, or -1 at its end. */
static long read_token(void) {
#if DX_TEXT_BYTES
  return getchar();
#else
  long token;
  return scanf("%ld", &token) == 1 && token >= 0 ? token : -1;
#endif
}

static void write_token(uint32_t token) {
#if DX_TEXT_BYTES
  putchar((int)token);
#else
  printf("%lu ", (unsigned long)token);
#endif
  fflush(stdout);
}

int main(int count, char **words) {
  unsigned long tokens = count > 1 ? strtoul(words[1], NULL, 10) : 200;
  uint32_t temperature = count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 800;
  uint64_t seed = count > 3 ? strtoull(words[3], NULL, 10) : 0;
  int status = dx_text_init(&memory, sizeof memory, &dx_text_network, temperature, seed);
  for (long token = read_token(); status == DX_TEXT_OK && token >= 0; token = read_token()) {
    uint16_t one = (uint16_t)(token < 65536 ? token : 65535);
    status = dx_text_push(&memory, &one, 1);
  }
  for (dx_text_answer answer; status == DX_TEXT_OK && tokens; tokens--) {
    status = dx_text_result(&memory, &answer);
    if (status == DX_TEXT_OK) {
      uint16_t one = (uint16_t)answer.token;
      write_token(answer.token);
      status = dx_text_push(&memory, &one, 1);
    }
  }
  dx_text_stop(&memory);
  if (status < 0) {
    fprintf(stderr, "dendrix: expected a text on standard input, got error %d.\n", status);
    return 1;
  }
  putchar('\n');
  return 0;
}
