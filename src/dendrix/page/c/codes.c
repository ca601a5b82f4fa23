/* Error rates of sparse codes in float64, as dendrix.sdr: tails of the hypergeometric distribution, and the covering chain of unions.
 *
 * Weights are products of the ratios of neighbouring probabilities from the mode on, with blocks of 2^-512 so that they do not underflow.
 * All results are natural logarithms. Exponential and logarithm are those of the browser.
 */
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define MATH(name) __attribute__((import_module("math"), import_name(#name)))

MATH(exp) double exponential(double x);
MATH(log) double logarithm(double x);
MATH(log1p) double logarithm_1p(double x);

enum { LONGEST = 4096, STATES = 257, STEPS = 4096 };
#define BLOCK 0x1p512
#define TINY 0x1p-512
#define LOG2 0.69314718055994530942
#define NOTHING (-__builtin_inf())

static double sums[LONGEST + 1], found[LONGEST + 2];
static int32_t blocks[LONGEST + 1];
static double state[STATES], next[STATES], above[STATES + 1], below[STATES + 1], trace[STEPS + 1], stay[STATES], moves[STATES][STATES];

/* A weight in units of another block; what is two blocks away counts nothing. */
static double moved(double weight, int32_t by) {
  for (; by < 0; by++) weight *= TINY;
  for (; by > 0; by--) weight *= BLOCK;
  return weight;
}

/* Logarithms of P[at least first + i], or of P[exactly first + i], for i below count: D balls of an urn with K marked and L other ones.
 * Returns their place, or 0 if there is no such urn, or the support is too long. */
EXPORT(tails) const double *tails(double K, double L, double D, int exactly, int first, int count) {
  if (!(K >= 0 && L >= 0 && D >= 0 && D <= K + L)) return 0;
  int low = D > L ? (int)(D - L) : 0, high = (int)(D < K ? D : K);
  if (high - low > LONGEST || count > LONGEST + 2 || count < 0) return 0;
  int mode = (int)((D + 1) * (K + 1) / (K + L + 2));
  mode = mode < low ? low : mode > high ? high : mode;
  sums[mode - low] = 1;
  blocks[mode - low] = 0;
  for (int step = 1; step >= -1; step -= 2) {
    double weight = 1;
    int32_t block = 0;
    for (int k = mode; k != (step > 0 ? high : low); k += step) {
      double ratio = step > 0 ? (D - k) * (K - k) / ((k + 1.0) * (L - (D - k - 1))) : k * (L - (D - k)) / ((D - k + 1) * (K - (k - 1.0)));
      weight *= ratio;
      if (weight < TINY) {
        weight *= BLOCK;
        block++;
      }
      sums[k + step - low] = weight;
      blocks[k + step - low] = block;
    }
  }
  double more = 0, less = 0;
  for (int k = high - low; k > mode - low; k--) {
    more += sums[k];
    if (!exactly) sums[k] = more;
    more = moved(more, blocks[k - 1] - blocks[k]);
  }
  for (int k = 0; k < mode - low; k++) {
    less += sums[k];
    if (!exactly) sums[k] = less;
    less = moved(less, blocks[k + 1] - blocks[k]);
  }
  double total = 1 + more + less;
  for (int i = 0; i < count; i++) {
    int k = first + i, rest = k <= mode && !exactly, at = k - rest;
    double share = at < low || at > high ? 0 : sums[at - low] / total;
    int32_t block = share ? blocks[at - low] : 0;
    if (rest) found[i] = logarithm_1p(-moved(share, -block));
    else found[i] = share ? logarithm(share) - block * 512 * LOG2 : NOTHING;
  }
  return found;
}

/* Places of the results of `cover`, and of its start: log P[k cells are covered], k = 0 to top, the last one for top or more. */
EXPORT(start) double *start_at(void) { return state; }
EXPORT(above) const double *above_at(void) { return above; }
EXPORT(below) const double *below_at(void) { return below; }
EXPORT(trace) const double *trace_at(void) { return trace; }


/* log P[at least theta] and log P[fewer], from weights that are tilted and scaled; the larger of the two from the smaller one. */
static void split(int top, double tilt, double scale, int theta, double *at_least, double *fewer) {
  double hits = 0, misses = 0;
  for (int k = top; k >= theta; k--) hits += state[k] * exponential(-tilt * (k - theta));
  for (int k = 0; k < theta; k++) misses += state[k] * exponential(tilt * (theta - k));
  double high = hits > 0 ? logarithm(hits) + scale - tilt * theta : NOTHING, low = misses > 0 ? logarithm(misses) + scale - tilt * theta : NOTHING;
  *at_least = high < -LOG2 ? high : logarithm_1p(-exponential(low));
  *fewer = low < -LOG2 ? low : logarithm_1p(-exponential(high));
}

/* Add `times` random patterns of `size` of n cells to a union, and follow how many of a cells it covers. Results: `above` and `below` hold
 * log P[at least k] and log P[fewer than k are covered], k = 0 to top; `trace` log P[at least theta] after each pattern. States are
 * scaled by exp(tilt k) meanwhile. Returns 0, or -1 for more states or steps than there is room for. */
EXPORT(cover) int cover(double n, double a, double size, int times, int top, double tilt, int theta) {
  if (top < 0 || top >= STATES || times < 0 || times > STEPS) return -1;
  for (int i = 0; i < top; i++) {
    double hidden = a - i;
    stay[i] = exponential(tails(hidden, n - hidden, size, 1, 0, 1)[0]);
    const double *exact = tails(hidden, n - hidden, size, 1, 0, top - i);
    for (int j = i + 1; j < top; j++) moves[i][j] = exponential(exact[j - i] + tilt * (j - i));
    moves[i][top] = exponential(tails(hidden, n - hidden, size, 0, top - i, 1)[0] + tilt * (top - i));
  }
  stay[top] = 1;
  for (int k = 0; k <= top; k++) state[k] = exponential(state[k] + tilt * k);
  double scale = 0, unused;
  for (int t = 0; t <= times; t++) {
    if (t) {
      for (int j = 0; j <= top; j++) {
        next[j] = state[j] * stay[j];
        for (int i = 0; i < j; i++) next[j] += state[i] * moves[i][j];
      }
      double largest = 0;
      for (int k = 0; k <= top; k++) largest = next[k] > largest ? next[k] : largest;
      if (!largest) largest = 1;
      for (int k = 0; k <= top; k++) state[k] = next[k] / largest;
      scale += logarithm(largest);
    }
    split(top, tilt, scale, theta, &trace[t], &unused);
  }
  for (int k = 0; k <= top; k++) split(top, tilt, scale, k, &above[k], &below[k]);
  return 0;
}
