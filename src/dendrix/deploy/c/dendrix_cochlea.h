/* The causal cochlea in whole numbers: samples to spike counts. Included by dendrix.c where a network needs it. Equations and scales are those of
 * `dendrix.data.cochlea.integer_loops`. */
#ifndef DENDRIX_COCHLEA_H
#define DENDRIX_COCHLEA_H

enum { DX_STAGES = 4, DX_FIBRES = 40 };

static const int64_t DX_ONE = (int64_t)1 << 31;

/* Beginning of the memory of a cochlea. It follows, for each of C cells, 32-bit numbers: last outputs of the resonators [4][C], outputs before
 * them [4][C], free transmitter, transmitter in the cleft and in reprocessing, current and membrane; and bytes: spikes of the fibres
 * [pause - 1][C], resting fibres, and rest of the cell. */
typedef struct {
  uint64_t key;
  uint32_t level, heard, row;
  int32_t past[2];
} dx_ear;

typedef struct {
  int32_t *last, *before, *q, *c, *w, *current, *membrane;
  uint8_t *ring, *resting, *rest;
} dx_cells;

static dx_cells cells_of(const dx_cochlea *e, dx_ear *ear) {
  unsigned n = e->cells;
  dx_cells a;
  a.last = (int32_t *)(void *)(ear + 1);
  a.before = a.last + DX_STAGES * n;
  a.q = a.before + DX_STAGES * n;
  a.c = a.q + n;
  a.w = a.c + n;
  a.current = a.w + n;
  a.membrane = a.current + n;
  a.resting = (uint8_t *)(void *)(a.membrane + n);
  a.rest = a.resting + n;
  a.ring = a.rest + n;
  return a;
}

static void rest_ear(const dx_cochlea *e, dx_ear *ear) {
  dx_cells a = cells_of(e, ear);
  ear->key = e->seed;
  for (unsigned i = 0; i < e->cells; i++) {
    a.q[i] = e->start_q;
    a.c[i] = e->start_c;
    a.w[i] = e->start_w;
  }
}

/* 2^59 / x for x >= 2^26: a quotient of few bits and one step of Newton's method. */
static inline int64_t inverse(uint32_t x) {
  uint32_t rough = 0xffffffffu / (x >> 11);
  return ((int64_t)rough << 16) + (((int64_t)rough * (((int64_t)1 << 43) - (int64_t)x * rough)) >> 27);
}

/* x / 32,768 in single precision, as bits: the noise depends on them. */
static uint32_t float_bits(int32_t x) {
  if (!x) return 0;
  uint32_t size = (uint32_t)(x < 0 ? -x : x), n = 31u - (uint32_t)leading_zeros(size);
  return (x < 0 ? 0x80000000u : 0u) | (112u + n) << 23 | ((size << (23 - n)) & 0x7fffffu);
}

/* Draw the random number of a sample. */
static uint32_t next_key(dx_ear *ear, int32_t x) {
  ear->key = (ear->key ^ float_bits(x)) * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  ear->key ^= ear->key >> 29;
  return (uint32_t)(ear->key >> 32);
}

/* A random number for each cell. */
static inline uint32_t drawn_by(uint32_t key, unsigned cell) {
  uint32_t h = key ^ (uint32_t)((cell * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
  h = (h ^ (h >> 16)) * 0x7FEB352Du;
  h = (h ^ (h >> 15)) * 0x846CA68Bu;
  return h ^ (h >> 16);
}

/* Automatic gain, fade-in, and difference over two samples. */
static int32_t amplified(const dx_cochlea *e, dx_ear *ear, int32_t x) {
  uint32_t size = (uint32_t)(x < 0 ? -x : x) << 16, level = (uint32_t)(((uint64_t)ear->level * e->keep) >> 32);
  ear->level = level = size > level ? size : level;
  uint32_t peak = level + e->floor;
  int up = leading_zeros(peak);
  int64_t even = ((int64_t)x * ((int64_t)1 << (16 + up)) * inverse(peak << up)) >> 29, gain = e->gain;
  if (ear->heard < e->ramp) gain = (ear->heard++ * e->grow) >> 16;
  int32_t loud = (int32_t)((even * gain) >> 30), step = loud - ear->past[1];
  ear->past[1] = ear->past[0];
  ear->past[0] = loud;
  return step;
}

/* Motion of the membrane at cell i. */
static inline int32_t resonated(const dx_cochlea *e, const dx_cells *a, unsigned i, int32_t x) {
  int64_t drive = e->drive[i], near = e->near[i], far = e->far[i];
  for (unsigned k = i; k < DX_STAGES * (unsigned)e->cells; k += e->cells) {
    int32_t y = (int32_t)((drive * x + near * a->last[k] + far * a->before[k] + (1 << 28)) >> 29);
    a->before[k] = a->last[k];
    a->last[k] = x = y;
  }
  return x;
}

/* Transmitter in the cleft of cell i, on average over the sample. */
static inline int64_t released(const dx_cochlea *e, const dx_cells *a, unsigned i, int32_t motion) {
  int64_t s = (int64_t)motion + e->offset, q = a->q[i], c = a->c[i], w = a->w[i];
  if (s < 0) s = 0;
  int64_t k = (s * inverse((uint32_t)(s + e->half_point))) >> 28;
  int64_t out = (e->half_g * k) >> 31, refill = 0;
  if (q < DX_ONE / 2) {
    out += e->half_y;
    refill = e->refill;
  }
  int64_t share = DX_ONE - out; /* 1 / (1 + out) by its series, as out is small */
  share = DX_ONE - ((out * share) >> 31);
  share = DX_ONE - ((out * share) >> 31);
  share = DX_ONE - ((out * share) >> 31);
  int64_t total = (w * e->reprocessed + refill + q * (DX_ONE - out) + DX_ONE / 2) >> 31;
  int64_t after = (total * share + DX_ONE / 2) >> 31;
  if (after > DX_ONE - 1) after = DX_ONE - 1;
  int64_t level = (((k * (q + after)) >> 31) * e->settled) >> 31, cleft = level + (((c - level) * e->mean) >> 31);
  a->q[i] = (int32_t)after;
  a->c[i] = (int32_t)(level + (((c - level) * e->kept) >> 31));
  a->w[i] = (int32_t)((w * e->w_kept + ((cleft * e->w_gain) >> 5) + DX_ONE / 2) >> 31);
  return cleft;
}

/* Number of fibres that fire out of those that are free, with probability 1 - exp(-z) each: a binomial draw. */
static unsigned fibres(int64_t z, uint32_t drawn, unsigned available) {
  int64_t half = z >> 1, d = ((int64_t)1 << 29) + (z >> 2) + ((((half * half) >> 30) * 715827883) >> 32);
  int64_t p = (half * inverse((uint32_t)d)) >> 28, none = DX_ONE - p, mass = DX_ONE, square = none;
  for (unsigned left = available, bit = 0; bit < 6; bit++, left >>= 1) {
    if (left & 1) mass = (mass * square) >> 31;
    square = (square * square) >> 31;
  }
  int64_t above = DX_ONE - (drawn >> 1);
  if (above <= mass) return 0;
  int64_t odds = (p * inverse((uint32_t)none)) >> 31;
  unsigned count = 0;
  while (above > mass && count < available) {
    above -= mass;
    mass = (((mass * odds) >> 28) * (((available - count) << 16) / (count + 1))) >> 16;
    count++;
  }
  return count;
}

/* Whether the bushy cell i fires. */
static inline int bushy(const dx_cochlea *e, const dx_cells *a, unsigned i, unsigned count) {
  int64_t current = (((int64_t)a->current[i] * e->keep_current) >> 31) + ((int64_t)count << 16), v = 0;
  if (a->rest[i]) a->rest[i]--;
  else v = (((int64_t)a->membrane[i] * e->keep_membrane) >> 31) + ((current * e->charge) >> 24);
  int spike = v >= 1 << 24;
  a->current[i] = (int32_t)current;
  a->membrane[i] = spike ? 0 : (int32_t)v;
  if (spike) a->rest[i] = e->pause;
  return spike;
}

/* One sample through all cells; adds their spikes to the frame. */
static void hear_sample(const dx_cochlea *e, dx_ear *ear, int32_t x, int16_t *frame) {
  dx_cells a = cells_of(e, ear);
  uint32_t key = next_key(ear, x);
  int32_t step = amplified(e, ear, x);
  uint8_t *row = a.ring + (size_t)ear->row * e->cells;
  for (unsigned i = 0, k = 0; i < e->cells; i++, k++) {
    int64_t z = (released(e, &a, i, resonated(e, &a, i, step)) * e->fired) >> 28;
    uint32_t drawn = drawn_by(key, i);
    unsigned available = DX_FIBRES - (unsigned)a.resting[i], count = 0;
    if (drawn < (available * z) << 2) count = fibres(z, drawn, available); /* the probability is z at most */
    a.resting[i] = (uint8_t)(a.resting[i] + count - row[i]);
    row[i] = (uint8_t)count;
    if (k == e->group) {
      k = 0;
      frame++;
    }
    *frame = (int16_t)(*frame + bushy(e, &a, i, count));
  }
  if (++ear->row == (unsigned)e->pause - 1) ear->row = 0;
}
#endif
