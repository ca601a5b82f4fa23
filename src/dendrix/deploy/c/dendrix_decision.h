/* The decision from accumulated outputs, and the exit rule: common to all engines. */
#ifndef DENDRIX_DECISION_H
#define DENDRIX_DECISION_H
#include <stddef.h>
#include <stdint.h>

enum {
  DX_MORE = 0,      /* give more input */
  DX_SURE = 1,      /* the exit rule has stopped the stream; further input is ignored */
  DX_ARGUMENT = -1, /* a null pointer, or memory that is not aligned to 8 bytes */
  DX_RATE = -2,     /* samples at another rate than the network takes */
  DX_SPACE = -3,    /* memory smaller than dx_size says */
  DX_ENDED = -4,    /* input after dx_stop */
  DX_EMPTY = -5     /* dx_stop before any input */
};

enum { DX_SUM, DX_MEAN, DX_LAST, DX_MAX };                           /* accumulations of outputs */
enum { DX_NEVER, DX_PROBABILITY, DX_PATIENCE, DX_STEPS, DX_MARGIN }; /* exit rules */

typedef struct {
  const uint64_t *bounds; /* of the exit rule, one for each step; the last one holds on */
  const uint32_t *powers; /* [32], 2^(-i / 16) and 2^(-i / 256) for i below 16, in 30 fractional bits */
  uint32_t scale;         /* log2(e) times the unit of the outputs, in 28 fractional bits */
  uint32_t min_steps, bound_count, abstain;
  uint16_t classes;
  uint8_t accumulation, rule;
} dx_decision;

typedef struct {
  int32_t label;       /* index of the class; -1 where the network abstains, or has heard nothing */
  uint32_t confidence; /* probability times 65,536 */
  uint32_t steps;      /* time steps that were run */
  int32_t stopped;     /* 1 if the exit rule stopped the stream */
} dx_answer;

/* Sum over the classes of 2^(-lead / 256), in 30 fractional bits: the inverse of the largest probability. */
static uint64_t dx_crowd(const dx_decision *d, const int64_t *total, uint32_t steps) {
  uint32_t far;
  unsigned half = 0; /* a division of 32 bits is enough, as a small machine has no other */
  int64_t top = total[0];
  uint64_t sum = 0;
  if (d->accumulation != DX_MEAN) steps = 1;
  far = steps;
  while (far >> 19) {
    far >>= 1;
    half++;
  }
  for (unsigned k = 1; k < d->classes; k++)
    if (total[k] > top) top = total[k];
  for (unsigned k = 0; k < d->classes; k++) {
    uint64_t lead = (uint64_t)top - (uint64_t)total[k], high = (lead >> 32) * d->scale;
    if (high >> 33) continue;
    lead = (high << 12) + (((lead & 0xffffffffu) * d->scale) >> 20);
    if (lead >= (uint64_t)steps << 13) continue; /* below 2^-32 */
    uint32_t z = (uint32_t)(lead >> half) / far;
    uint64_t power = (uint64_t)d->powers[z >> 4 & 15u] * d->powers[16 + (z & 15u)] + ((uint64_t)1 << 29);
    sum += (uint32_t)(power >> 30) >> (z >> 8);
  }
  return sum;
}

static unsigned dx_best(const dx_decision *d, const int64_t *total) {
  unsigned found = 0;
  for (unsigned k = 1; k < d->classes; k++)
    if (total[k] > total[found]) found = k;
  return found;
}

/* The total with one more output. */
static inline int64_t dx_added(const dx_decision *d, int64_t total, int32_t output, uint32_t steps) {
  if (d->accumulation == DX_LAST || (d->accumulation == DX_MAX && (steps == 1 || output > total))) return output;
  return d->accumulation == DX_MAX ? total : total + output;
}

/* The largest total minus the second largest, with 8 fractional bits, and at most 2^62. */
static inline uint64_t dx_lead(const dx_decision *d, const int64_t *total) {
  unsigned best = dx_best(d, total);
  uint64_t lead = UINT64_MAX;
  for (unsigned k = 0; k < d->classes; k++)
    if (k != best && (uint64_t)total[best] - (uint64_t)total[k] < lead) lead = (uint64_t)total[best] - (uint64_t)total[k];
  return (lead >> 54 ? (uint64_t)1 << 54 : lead) << 8;
}

/* Whether the exit rule stops after this step. `streak` holds the last class, and the steps with it. */
static inline int dx_is_sure(const dx_decision *d, const int64_t *total, uint32_t steps, uint32_t *streak) {
  if (d->rule == DX_PATIENCE) {
    unsigned found = dx_best(d, total);
    streak[1] = streak[0] == found && steps > 1 ? streak[1] + 1 : 1;
    streak[0] = found;
  }
  if (d->rule == DX_NEVER || steps < d->min_steps) return 0;
  uint64_t bound = d->bounds[(steps < d->bound_count ? steps : d->bound_count) - 1];
  if (d->rule == DX_PATIENCE) return streak[1] > bound;
  if (d->rule == DX_STEPS) return steps > bound;
  if (d->rule == DX_MARGIN) return bound != UINT64_MAX && dx_lead(d, total) >= bound * (d->accumulation == DX_MEAN ? steps : 1);
  return dx_crowd(d, total, steps) < bound;
}

/* The decision after a number of steps. */
static inline void dx_answered(const dx_decision *d, const int64_t *total, uint32_t steps, int sure, dx_answer *answer) {
  answer->label = -1;
  answer->confidence = 0;
  answer->steps = steps;
  answer->stopped = sure;
  if (!steps) return;
  answer->confidence = ((uint32_t)1 << 30) / (uint32_t)(dx_crowd(d, total, steps) >> 16);
  if (answer->confidence >= d->abstain) answer->label = (int32_t)dx_best(d, total);
}
#endif
