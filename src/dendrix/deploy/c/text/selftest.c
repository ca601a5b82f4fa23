/* Runs the test vectors of the network and compares the logits after every token with the reference: `make test`. */
#include <stdio.h>
#include "../dendrix_text.h"
#include "../model.h"
#include "vectors.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DX_TEXT_SIZE];
} memory;

static uint32_t checksum(const int32_t *numbers, size_t count) {
  uint32_t found = 2166136261u;
  for (size_t i = 0; i < count; i++) found = (found ^ (uint32_t)numbers[i]) * 16777619u;
  return found;
}

static int failed(const char *what, unsigned long text, unsigned long step) {
  printf("text %lu, token %lu: %s differs from the reference.\n", text, step, what);
  return 1;
}

/* A text token by token, with the logits after each. */
static int traced(unsigned long text, const uint16_t *tokens, size_t count, const uint32_t *checks) {
  dx_text_answer answer;
  if (dx_text_init(&memory, sizeof memory, &dx_text_network, 0, 0)) return failed("the start", text, 0);
  for (size_t t = 0; t < count; t++) {
    if (dx_text_push(&memory, tokens + t, 1) || dx_text_result(&memory, &answer)) return failed("the status", text, (unsigned long)t);
    if (checksum(answer.logits, dx_text_network.vocabulary) != checks[t]) return failed("a logit", text, (unsigned long)t);
  }
  if (checksum(dx_text_state_of(&memory), dx_text_network.state_count) != test_states[text]) return failed("the state", text, 0);
  return 0;
}

/* The continuation of a text that is read in uneven pieces. */
static int continued(unsigned long text, const uint16_t *tokens, size_t count, uint32_t temperature, const uint16_t *expected) {
  dx_text_answer answer;
  dx_text_init(&memory, sizeof memory, &dx_text_network, temperature, text);
  for (size_t done = 0, piece = 1; done < count; done += piece, piece = piece * 3 % 17) {
    if (piece > count - done) piece = count - done;
    if (dx_text_push(&memory, tokens + done, piece)) return failed("the status", text, 0);
  }
  for (unsigned t = 0; t < TEST_CONTINUATION; t++) {
    if (dx_text_result(&memory, &answer) || answer.token != expected[t]) return failed("a token of the continuation", text, t);
    if (dx_text_push(&memory, expected + t, 1)) return failed("the status", text, t);
  }
  return dx_text_stop(&memory) || dx_text_push(&memory, tokens, 1) != DX_TEXT_ENDED;
}

int main(void) {
  const uint16_t *tokens = test_tokens;
  const uint32_t *checks = test_checks;
  for (unsigned long i = 0; i < TEST_TEXTS; i++) {
    size_t count = test_lengths[i];
    if (traced(i, tokens, count, checks) || continued(i, tokens, count, 0, test_greedy + i * TEST_CONTINUATION) ||
        continued(i, tokens, count, TEST_TEMPERATURE, test_sampled + i * TEST_CONTINUATION))
      return 1;
    tokens += count;
    checks += count;
  }
  printf("%d texts equal the reference after every token.\n", TEST_TEXTS);
  return 0;
}
