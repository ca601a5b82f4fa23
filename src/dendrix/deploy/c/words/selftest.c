/* Runs the test vectors of taught words and compares every frame, code, decision and threshold with the reference: `make test`. */
#include <stdio.h>
#include <string.h>
#include "../words.h"
#include "../model.h"
#include "vectors.h"

static union {
  uint64_t aligned;
  unsigned char bytes[DW_SIZE];
} memory;

static int failed(const char *what, unsigned long item, unsigned long place) {
  printf("item %lu, place %lu: %s differs from the reference.\n", item, place, what);
  return 1;
}

static int same_match(const dw_match *found, const int32_t *expected) {
  return found->label == expected[0] && (int32_t)found->nearest == expected[1] && (int32_t)found->score == expected[2] &&
         (int32_t)found->theta == expected[3];
}

/* A clip in uneven pieces: every frame that is remembered, the code and the decision. */
static int clip(unsigned long i, const int16_t *samples, const int32_t **level, const uint8_t **spikes, const uint8_t *code) {
  const int32_t *expected = test_answers + 7 * i;
  dw_found found;
  dw_match match;
  size_t taken, row = words_tables.row;
  if (dw_init(&memory, sizeof memory, &words_tables, DX_RATE_HZ, DW_CLIP)) return failed("the start", i, 0);
  for (size_t done = 0, piece = 1; done < test_lengths[i]; done += piece, piece = (piece * 7 + 3) % 611) {
    if (piece > test_lengths[i] - done) piece = test_lengths[i] - done;
    if (dw_push(&memory, samples + done, piece, &taken) || taken != piece) return failed("the status", i, (unsigned long)done);
  }
  if (dw_stop(&memory) != DW_WORD) return failed("the end", i, 0);
  for (uint32_t t = 0; t < test_frames[i]; t++, ++*level, *spikes += row) {
    if (dw_level(&memory, t) != **level) return failed("a level", i, t);
    if (memcmp(dw_spikes(&memory, t), *spikes, row)) return failed("a spike", i, t);
  }
  const uint8_t *made = dw_code(&memory, &found);
  if ((int32_t)found.onset != expected[0] || (int32_t)found.offset != expected[1] || (int32_t)found.words != expected[2])
    return failed("the speech", i, found.onset);
  if (memcmp(made, code, DW_CODE_BYTES)) return failed("the code", i, 0);
  dw_decide(&words_tables, words_taught, DW_WORDS, made, &match);
  return same_match(&match, expected + 3) ? 0 : failed("the decision", i, match.score);
}

/* All clips one after another, as a stream. */
static int stream(const uint8_t *codes) {
  size_t count = sizeof test_samples / sizeof *test_samples, done = 0, taken;
  unsigned long events = 0;
  if (dw_init(&memory, sizeof memory, &words_tables, DX_RATE_HZ, DW_STREAM)) return failed("the start", 0, 0);
  for (;;) {
    size_t piece = count - done < 977 ? count - done : 977;
    int status = piece ? dw_push(&memory, test_samples + done, piece, &taken) : dw_stop(&memory);
    if (status < 0) return failed("the status", events, (unsigned long)done);
    if (piece) done += taken;
    if (status == DW_WORD) {
      dw_found found;
      dw_match match;
      const int32_t *expected = test_events + 5 * events;
      const uint8_t *code = dw_code(&memory, &found);
      if (events == TEST_EVENTS) return failed("the number of words", events, 0);
      dw_decide(&words_tables, words_taught, DW_WORDS, code, &match);
      if ((int32_t)found.onset != expected[1] || (int32_t)found.offset != expected[2]) return failed("the speech", events, found.onset);
      if (memcmp(code, codes + events * DW_CODE_BYTES, DW_CODE_BYTES)) return failed("the code", events, 0);
      if (match.label != expected[3] || (int32_t)match.score != expected[4]) return failed("the decision", events, 0);
      events++;
    } else if (!piece) {
      return events == TEST_EVENTS ? 0 : failed("the number of words", events, 0);
    }
  }
}

static int taught(void) {
  for (unsigned i = 0; i < DW_WORDS; i++) {
    dw_word word = words_taught[i];
    const uint32_t *expected = test_taught + 3 * i;
    if (dw_teach(&memory, &word, &words_background, TEST_SHARE)) return failed("teaching", i, 0);
    if (word.theta != expected[0] || word.mean != expected[1] || word.deviation != expected[2]) return failed("a threshold", i, word.theta);
  }
  return 0;
}

int main(void) {
  const int16_t *samples = test_samples;
  const int32_t *level = test_levels;
  const uint8_t *spikes = test_spikes;
  for (unsigned long i = 0; i < TEST_CLIPS; i++) {
    if (clip(i, samples, &level, &spikes, test_codes + i * DW_CODE_BYTES)) return 1;
    samples += test_lengths[i];
  }
  if (stream(test_codes + (size_t)TEST_CLIPS * DW_CODE_BYTES) || taught()) return 1;
  printf("%d clips, %d words of a stream and %u thresholds equal the reference.\n", TEST_CLIPS, TEST_EVENTS, DW_WORDS);
  return 0;
}
