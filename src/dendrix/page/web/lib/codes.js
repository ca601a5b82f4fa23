// Theory of sparse codes, as dendrix.sdr: n cells, a active, s synapses of a segment, threshold theta, v active cells moved, m patterns.

const MOST_STATES = 256; // thresholds of unions

export class Codes {
  /** @param {WebAssembly.Module} engine codes.wasm, compiled */
  constructor(engine) {
    const { exp, log, log1p } = Math;
    this.engine = new WebAssembly.Instance(engine, { math: { exp, log, log1p } }).exports;
  }

  numbers(at, count) {
    return new Float64Array(this.engine.memory.buffer, at, count);
  }

  tails(marked, others, draws, exactly, first, count) {
    const at = this.engine.tails(marked, others, draws, exactly, first, count);
    if (!at) throw new Error("Expected cells of one code, with overlaps of at most 4,096, got others. Choose smaller patterns or segments.");
    return this.numbers(at, count).slice();
  }

  /** log P[a random pattern matches a segment], for theta = 0 to s + 1: equation 4 of Ahmad and Hawkins (2016). */
  falsePositive(n, a, s) {
    return this.tails(a, n - a, s, 0, 0, s + 2);
  }

  /** log P[a segment misses its pattern, of which v cells have moved], for theta = 0 to s + 1: equation 6. */
  falseNegative(a, s, v) {
    return this.tails(v, a - v, s, 0, 0, s + 2).reverse();
  }

  /**
   * log P of a false match of a segment that stores m random patterns of s cells, for theta = 0 to `top`; and by number of patterns, from 0 to
   * m, at one theta. By the covering chain.
   */
  unionFalsePositive(n, a, s, m, theta, top = Math.min(s, a, MOST_STATES)) {
    const bound = this.tails(a, n - a, Math.min(n, s * m), 0, top, 1)[0];
    const tilt = Number.isFinite(bound) ? -bound / Math.max(top, 1) : 0;
    const start = this.numbers(this.engine.start(), top + 1);
    start.fill(-Infinity);
    start[0] = 0;
    this.cover(n, a, s, m, top, tilt, Math.min(theta, top));
    return { rates: this.numbers(this.engine.above(), top + 1).slice(), byPatterns: this.numbers(this.engine.trace(), m + 1).slice() };
  }

  /** log P of a miss of one of m stored patterns, of which v cells have moved, for theta = 0 to `top`. */
  unionFalseNegative(n, a, s, v, m, top = Math.min(s, a, MOST_STATES)) {
    const start = this.tails(a - v, v, s, 1, 0, top + 1);
    start[top] = this.tails(a - v, v, s, 0, top, 1)[0];
    this.numbers(this.engine.start(), top + 1).set(start);
    this.cover(n, a, s, m - 1, top, 0, top);
    return this.numbers(this.engine.below(), top + 1).slice();
  }

  cover(...values) {
    if (this.engine.cover(...values) < 0) throw new Error("Expected thresholds up to 256 and at most 4,096 patterns on a segment, got more.");
  }
}

/** Thresholds that keep both rates: { low, high }; low > high where there is none. Rates are logarithms for theta = 0, 1, ... */
export function window(positive, negative, s, targetPositive, targetNegative) {
  const thetas = Array.from({ length: s }, (_, i) => i + 1);
  const low = thetas.find((theta) => positive[theta] <= Math.log(targetPositive)) ?? Infinity;
  const high = thetas.findLast((theta) => negative[theta] <= Math.log(targetNegative)) ?? 0;
  return { low, high };
}

/** Random numbers from 0 to below 1, the same for equal seeds: mulberry32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

/** Draws of patterns, segments and noise. */
export class Simulation {
  constructor(n, a, s, v, m, seed) {
    Object.assign(this, { n, a, s, v, m });
    this.random = random(seed);
    this.cells = Uint32Array.from({ length: n }, (_, i) => i);
    this.mark = new Uint32Array(n);
    this.marks = 0;
    this.draws = 0;
    this.random_overlaps = new Float64Array(a + 1); // of a pattern and a segment that has nothing to do with it
    this.stored_overlaps = new Float64Array(a + 1); // of a pattern with noise and the segment that stores it
  }

  /** Bring `count` random cells of a pool to its front. */
  shuffle(pool, count) {
    for (let i = 0; i < count; i++) {
      const j = i + Math.floor(this.random() * (pool.length - i));
      const cell = pool[i];
      pool[i] = pool[j];
      pool[j] = cell;
    }
    return pool;
  }

  /** One draw: the active cells with noise, the stored pattern, the synapses of the segment, and both overlaps. */
  draw() {
    const { n, a, s, v, m, cells, mark } = this;
    // The first a + v cells: v that have fallen silent, a - v that stay, and v that take their place.
    const chosen = this.shuffle(cells, a + Math.min(v, n - a)).slice(0, a + v);
    const stored = chosen.slice(0, a);
    const active = chosen.slice(v, a + v);
    const overlaps = {};
    for (const kind of ["random", "stored"]) {
      const own = ++this.marks;
      const synapses = [];
      for (let k = 0; k < m; k++) {
        const pool = k === 0 && kind === "stored" ? stored : cells;
        this.shuffle(pool, s);
        for (let i = 0; i < s; i++) {
          if (mark[pool[i]] === own) continue;
          mark[pool[i]] = own;
          synapses.push(pool[i]);
        }
      }
      let overlap = 0;
      for (let i = 0; i < active.length; i++) overlap += mark[active[i]] === own;
      overlaps[kind] = { synapses, overlap };
      this[`${kind}_overlaps`][overlap]++;
    }
    this.draws++;
    return { active, ...overlaps };
  }
}
