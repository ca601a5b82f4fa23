/* Reads 16-bit little-endian samples from standard input, and prints each spoken word as a line of JSON. With an argument, such as `clip`,
 * the input is one clip. */
#include <stdio.h>
#include "words.h"
#include "model.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DW_SIZE];
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

static void print_word(void) {
  dw_found found;
  dw_match match;
  dw_decide(&words_tables, words_taught, DW_WORDS, dw_code(&memory, &found), &match);
  printf("{\"word\": ");
  if (match.label < 0) printf("null");
  else print_text(words_taught[match.label].name);
  printf(", \"nearest\": ");
  print_text(words_taught[match.nearest].name);
  printf(", \"score\": %lu, \"threshold\": %lu, \"frames\": [%lu, %lu], \"words\": %lu}\n", (unsigned long)match.score,
         (unsigned long)match.theta, (unsigned long)found.onset, (unsigned long)found.offset, (unsigned long)found.words);
}

int main(int count, char **arguments) {
  unsigned char pair[2];
  size_t taken;
  int status = dw_init(&memory, sizeof memory, &words_tables, DX_RATE_HZ, count > 1 ? DW_CLIP : DW_STREAM);
  (void)arguments;
  while (status >= 0 && fread(pair, 1, 2, stdin) == 2) {
    unsigned bits = (unsigned)pair[0] | (unsigned)pair[1] << 8;
    int16_t sample = (int16_t)(bits & 0x8000u ? (int)bits - 65536 : (int)bits);
    status = dw_push(&memory, &sample, 1, &taken);
    if (status == DW_WORD) print_word();
  }
  while (status >= 0 && (status = dw_stop(&memory)) == DW_WORD) {
    print_word();
    if (count > 1) break;
  }
  if (status < 0) {
    fprintf(stderr, status == DW_LONG ? "dendrix: expected a clip of one word, got a longer one.\n"
                                      : "dendrix: expected 16-bit samples on standard input, got error %d.\n", status);
    return 1;
  }
  return 0;
}
