// Taught words of dendrix in a browser, in a worker and in node.

const WORD = 1;
const CLIP = 0;
const STREAM = 1;
const MESSAGES = {
  [-1]: "expected memory and samples, got none",
  [-2]: "expected samples at the rate of the network",
  [-4]: "expected no sound after stop()",
  [-5]: "expected sound before stop()",
  [-6]: "expected a clip of one word, got a longer one",
  [-7]: "expected codes of a few clips, got none or too many",
};
const PAGE = 65536;
const PIECE = 4096; // samples that are handed over at a time
const STRUCTURE = 24; // bytes of a word in the engine

function checked(status) {
  if (status < 0) throw new Error(`dendrix: ${MESSAGES[status] ?? `error ${status}`}.`);
  return status;
}

/** Floating-point samples, full scale at 1, as 16-bit samples. */
export function samplesOf(wave) {
  return wave instanceof Int16Array ? wave : Int16Array.from(wave, (x) => Math.max(-32768, Math.min(32767, Math.floor(x * 32768 + 0.5))));
}

/** Number of bits that two codes have in common. */
export function overlap(a, b) {
  let found = 0;
  for (let i = 0; i < a.length; i++) for (let both = a[i] & b[i]; both; both &= both - 1) found++;
  return found;
}

/** A vocabulary: the engine with the tables of one export, and words that can be taught, renamed and forgotten. */
export class Words {
  /**
   * @param {WebAssembly.Module} engine words.wasm, compiled
   * @param {ArrayBuffer | Uint8Array} tables words.bin
   */
  constructor(engine, tables) {
    const bytes = tables instanceof Uint8Array ? tables : new Uint8Array(tables);
    const { exports } = new WebAssembly.Instance(engine);
    this.engine = exports;
    this.free = (exports.__heap_base.value + 7) & ~7;
    const at = this.reserve(bytes.length);
    this.bytes().set(bytes, at);
    this.tables = exports.load_words(at);
    if (!this.tables) throw new Error("dendrix: expected tables of words that `dendrix export --to wasm` wrote, got something else.");
    const [, , start, length] = new Uint32Array(Uint8Array.from(bytes.subarray(0, 16)).buffer);
    this.about = JSON.parse(new TextDecoder().decode(bytes.subarray(start, start + length)));
    this.codeBytes = Math.ceil(this.about.code_bits / 8);
    this.input = this.reserve(2 * PIECE);
    this.answer = this.reserve(32);
    this.probe = this.reserve(this.codeBytes);
    this.size = exports.words_size(this.tables);
    this.scratch = this.reserve(this.size);
    const { background, taught } = this.about;
    this.background = this.reserve(12);
    new Uint32Array(exports.memory.buffer, this.background, 3).set([at + background.codes_at, at + background.weights_at, background.clips]);
    this.backgroundAt = at + background.codes_at;
    this.list = [];
    for (const { name, clips, codes_at, ...numbers } of taught)
      this.list.push({ name, rate: null, codes: this.codesAt(at + codes_at, clips), ...numbers });
    this.listed = null;
  }

  /** Fetch and compile both files. */
  static async load(engineUrl, tablesUrl) {
    const [engine, tables] = await Promise.all([engineUrl, tablesUrl].map((url) => fetch(url).then((answer) => answer.arrayBuffer())));
    return new Words(await WebAssembly.compile(engine), tables);
  }

  bytes() {
    return new Uint8Array(this.engine.memory.buffer);
  }

  /** Memory at a multiple of 8. */
  reserve(size) {
    const at = this.free;
    this.free = (at + size + 7) & ~7;
    const missing = this.free - this.engine.memory.buffer.byteLength;
    if (missing > 0) this.engine.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  codesAt(at, count) {
    return Array.from({ length: count }, (_, k) => this.bytes().slice(at + k * this.codeBytes, at + (k + 1) * this.codeBytes));
  }

  /** Names of the words, in the order of teaching. */
  get names() {
    return this.list.map((word) => word.name);
  }

  word(name) {
    const found = this.list.find((word) => word.name === name);
    if (!found) throw new Error(`dendrix: expected a word of the vocabulary, got '${name}'.`);
    return found;
  }

  /** Code of one clip: {bits, onset, offset, words}; `words` is 0 where no speech stands out. */
  code(samples) {
    const clip = new Ear(this, CLIP, () => {});
    clip.push(samples);
    return clip.stop();
  }

  /** A stream of speech; `heard` is called with the code of each word when it has ended. */
  stream(heard) {
    return new Ear(this, STREAM, heard);
  }

  /** Write words into the memory of the engine; returns their address. */
  write(list) {
    const size = list.reduce((sum, word) => sum + STRUCTURE + word.codes.length * this.codeBytes, 0);
    if (!this.room || this.room.size < size) this.room = { at: this.reserve(2 * size), size: 2 * size };
    const view = new DataView(this.engine.memory.buffer);
    let codes = this.room.at + STRUCTURE * list.length;
    list.forEach((word, i) => {
      const numbers = [codes, 0, word.codes.length, word.theta ?? 0, word.mean ?? 0, word.deviation ?? 1];
      numbers.forEach((number, k) => view.setUint32(this.room.at + STRUCTURE * i + 4 * k, number, true));
      for (const code of word.codes) {
        this.bytes().set(code, codes);
        codes += this.codeBytes;
      }
    });
    return this.room.at;
  }

  expectNew(name) {
    if (!name.trim()) throw new Error("dendrix: expected a name, got an empty one.");
    if (this.names.includes(name)) throw new Error(`dendrix: expected a new name, but '${name}' was taught before.`);
  }

  /** Teach a word from the codes of some clips, for an accepted rate of false alarms; returns it. */
  teach(name, codes, rate) {
    this.expectNew(name);
    const word = { name, rate, codes, ...this.threshold(codes, rate) };
    this.list.push(word);
    return word;
  }

  /** Threshold, mean and deviation of a word of these codes. */
  threshold(codes, rate) {
    const known = this.about.rates.find((one) => Math.abs(one.rate - rate) < 1e-9);
    if (!known) throw new Error(`dendrix: expected a rate of ${this.about.rates.map((one) => one.rate).join(", ")}, got ${rate}.`);
    return this.thresholdAt(codes, known.share);
  }

  thresholdAt(codes, share) {
    const at = this.write([{ codes }]);
    checked(this.engine.words_teach(this.scratchMemory(), at, this.background, share));
    const [theta, mean, deviation] = new Uint32Array(this.engine.memory.buffer, at + 12, 3);
    return { theta, mean, deviation };
  }

  scratchMemory() {
    checked(this.engine.words_init(this.scratch, this.size, this.tables, this.about.rate, CLIP));
    return this.scratch;
  }

  forget(name) {
    this.list.splice(this.list.indexOf(this.word(name)), 1);
  }

  rename(name, fresh) {
    const word = this.word(name);
    this.expectNew(fresh);
    word.name = fresh;
  }

  /** Decision about a code: {name, nearest, score, theta}; `name` is null for none of the words. */
  decide(code) {
    if (!this.list.length) return { name: null, nearest: null, score: 0, theta: 0 };
    const at = this.write(this.list);
    this.bytes().set(code, this.probe);
    this.engine.words_decide(this.tables, at, this.list.length, this.probe, this.answer);
    const view = new DataView(this.engine.memory.buffer, this.answer, 16);
    const label = view.getInt32(0, true);
    const nearest = view.getUint32(4, true);
    return {
      name: label < 0 ? null : this.list[label].name,
      nearest: this.list[nearest].name,
      index: label,
      score: view.getUint32(8, true),
      theta: view.getUint32(12, true),
    };
  }

  /** Score of a code for every word, in their order. */
  scores(code) {
    return this.list.map((word) => word.codes.reduce((sum, stored) => sum + overlap(stored, code), 0));
  }

  /** What the background says about a word: its scores, the expected range of false alarms, and the words that it is most often taken for. */
  report(name, confusable = 3) {
    const word = this.word(name);
    const { clips, word: owner, names } = this.about.background;
    const scores = this.codesAt(this.backgroundAt, clips).map((code) => word.codes.reduce((sum, stored) => sum + overlap(stored, code), 0));
    const fired = names.map(() => [0, 0]);
    scores.forEach((score, i) => {
      fired[owner[i]][0] += score >= word.theta;
      fired[owner[i]][1]++;
    });
    const rates = names.map((known, i) => ({ name: known, rate: fired[i][1] ? fired[i][0] / fired[i][1] : 0 }));
    const expected = this.about.rates.find((one) => one.rate === word.rate);
    return {
      scores,
      rate: rates.reduce((sum, one) => sum + one.rate, 0) / rates.length,
      expected: expected ? [expected.low, expected.high] : null,
      confusable: rates.filter((one) => one.rate > 0).sort((a, b) => b.rate - a.rate).slice(0, confusable),
    };
  }
}

/** Sound as it arrives. */
export class Ear {
  constructor(words, mode, heard) {
    this.words = words;
    this.mode = mode;
    this.heard = heard;
    this.memory = mode === CLIP ? words.scratch : words.reserve(words.size);
    this.restart();
  }

  /** Start again from rest, in the same memory. */
  restart() {
    const { engine, size, tables, about } = this.words;
    checked(engine.words_init(this.memory, size, tables, about.rate, this.mode));
  }

  /** Push samples in pieces of any length. */
  push(wave) {
    const { engine, input, answer } = this.words;
    const samples = samplesOf(wave);
    for (let done = 0; done < samples.length; ) {
      const piece = samples.subarray(done, done + PIECE);
      new Int16Array(engine.memory.buffer, input, piece.length).set(piece);
      const status = checked(engine.words_push(this.memory, input, piece.length, answer));
      done += new Uint32Array(engine.memory.buffer, answer, 1)[0];
      if (status === WORD) this.heard(this.found());
    }
  }

  /** The sound has ended. Returns the code of a clip; words that are left in a stream go to `heard`. */
  stop() {
    const { engine } = this.words;
    if (this.mode === CLIP) {
      checked(engine.words_stop(this.memory));
      return this.found();
    }
    while (checked(engine.words_stop(this.memory)) === WORD) this.heard(this.found());
  }

  found() {
    const { engine, answer, codeBytes } = this.words;
    const at = engine.words_code(this.memory, answer);
    const [onset, offset, words] = new Uint32Array(engine.memory.buffer, answer, 3);
    return { bits: new Uint8Array(engine.memory.buffer).slice(at, at + codeBytes), onset, offset, words };
  }

  /** Level of a frame that is remembered, with 4 fractional bits times the channels. */
  level(frame) {
    return this.words.engine.words_level(this.memory, frame);
  }

  /** Spikes of the coded layers in a frame that is remembered, as bytes. */
  spikes(frame) {
    const at = this.words.engine.words_spikes(this.memory, frame);
    return new Uint8Array(this.words.engine.memory.buffer, at, this.words.about.row_bytes).slice();
  }
}
