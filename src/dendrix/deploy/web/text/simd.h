/* Products of the engine of language models with the vectors of WebAssembly; included by dendrix_text.c, after `dot`. */
#include <wasm_simd128.h>

/* y = W x, W [m][n], four rows at a time. */
static void dense(const int8_t *w, const int16_t *x, uint32_t n, uint32_t m, int32_t *y) {
  uint32_t whole = n & ~7u, o = 0;
  for (; o + 4 <= m; o += 4, w += 4 * n) {
    v128_t a = wasm_i32x4_const_splat(0), b = a, c = a, d = a;
    for (uint32_t i = 0; i < whole; i += 8) {
      v128_t v = wasm_v128_load(x + i);
      a = wasm_i32x4_add(a, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + i), v));
      b = wasm_i32x4_add(b, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + n + i), v));
      c = wasm_i32x4_add(c, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + 2 * n + i), v));
      d = wasm_i32x4_add(d, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + 3 * n + i), v));
    }
    v128_t ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    v128_t cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    wasm_v128_store(y + o, wasm_i32x4_add(wasm_i64x2_shuffle(ab, cd, 0, 2), wasm_i64x2_shuffle(ab, cd, 1, 3)));
    for (uint32_t k = 0; k < 4; k++) y[o + k] += dot(w + k * n + whole, x + whole, n - whole);
  }
  for (; o < m; o++, w += n) y[o] = dot(w, x, n);
}

/* Sixteen columns of y += W x for a pair of inputs. */
static void add_pair(const int8_t *w, const int8_t *u, v128_t pair, v128_t sum[4]) {
  v128_t p = wasm_v128_load(w), q = wasm_v128_load(u);
  v128_t a = wasm_i16x8_extend_low_i8x16(p), b = wasm_i16x8_extend_low_i8x16(q);
  v128_t c = wasm_i16x8_extend_high_i8x16(p), d = wasm_i16x8_extend_high_i8x16(q);
  sum[0] = wasm_i32x4_add(sum[0], wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), pair));
  sum[1] = wasm_i32x4_add(sum[1], wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), pair));
  sum[2] = wasm_i32x4_add(sum[2], wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(c, d, 0, 8, 1, 9, 2, 10, 3, 11), pair));
  sum[3] = wasm_i32x4_add(sum[3], wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(c, d, 4, 12, 5, 13, 6, 14, 7, 15), pair));
}

/* y = W x from column `from` on, a multiple of sixteen columns; returns the first column that is left. W is [n][m]. */
static uint32_t sparse_blocks(const int8_t *w, const int16_t *x, const uint16_t *active, uint32_t count, uint32_t m, int32_t *y) {
  uint32_t o = 0;
  for (; o + 16 <= m; o += 16) {
    v128_t sum[4];
    for (int k = 0; k < 4; k++) sum[k] = wasm_i32x4_const_splat(0);
    for (uint32_t k = 0; k < count; k += 2) {
      uint32_t i = active[k], j = k + 1 < count ? active[k + 1] : i;
      int32_t second = k + 1 < count ? x[j] : 0;
      v128_t pair = wasm_i32x4_splat((int32_t)((uint32_t)(uint16_t)x[i] | (uint32_t)second << 16));
      add_pair(w + (size_t)i * m + o, w + (size_t)j * m + o, pair, sum);
    }
    for (uint32_t k = 0; k < 4; k++) wasm_v128_store(y + o + 4 * k, sum[k]);
  }
  return o;
}

/* Add eight columns for each block of the given rows to y; sums of 16 bits hold 256 weights. */
static inline void add_columns(const int8_t *w, const uint16_t *rows, uint32_t count, uint32_t m, int32_t *y, const int blocks) {
  for (uint32_t start = 0; start < count; start += 256) {
    uint32_t end = count - start < 256 ? count : start + 256;
    v128_t sum[4];
    for (int b = 0; b < blocks; b++) sum[b] = wasm_i16x8_const_splat(0);
    for (uint32_t k = start; k < end; k++)
      for (int b = 0; b < blocks; b++) sum[b] = wasm_i16x8_add(sum[b], wasm_i16x8_load8x8(w + (size_t)rows[k] * m + 8 * b));
    for (int b = 0; b < blocks; b++) {
      int32_t *low = y + 8 * b, *high = low + 4;
      wasm_v128_store(low, wasm_i32x4_add(wasm_v128_load(low), wasm_i32x4_extend_low_i16x8(sum[b])));
      wasm_v128_store(high, wasm_i32x4_add(wasm_v128_load(high), wasm_i32x4_extend_high_i16x8(sum[b])));
    }
  }
}

/* y = W x for spike counts x: every spike adds its row, W [n][m]. Inputs without spikes left are removed from `active`. */
static void spike_rows(const int8_t *w, const int16_t *x, uint16_t *active, uint32_t count, uint32_t m, int32_t *y) {
  memset(y, 0, m * sizeof *y);
  for (int16_t added = 1; count; added++) {
    uint32_t o = 0, left = 0;
    for (; o + 32 <= m; o += 32) add_columns(w + o, active, count, m, y + o, 4);
    for (; o + 8 <= m; o += 8) add_columns(w + o, active, count, m, y + o, 1);
    for (; o < m; o++)
      for (uint32_t k = 0; k < count; k++) y[o] += w[(size_t)active[k] * m + o];
    for (uint32_t k = 0; k < count; k++) {
      active[left] = active[k];
      left += x[active[k]] > added;
    }
    count = left;
  }
}
