// Spiking language models of dendrix in a browser and in node.

const MESSAGES = {
  [-1]: "expected memory and tokens, got none",
  [-2]: "expected tokens of the vocabulary",
  [-4]: "expected no tokens after stop()",
  [-5]: "expected a text before result()",
};
const PAGE = 65536;
const PIECE = 1024; // tokens that are handed over at a time
// A module with one instruction of SIMD.
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

function checked(status) {
  if (status < 0) throw new Error(`dendrix: ${MESSAGES[status] ?? `error ${status}`}.`);
}

/** Whether this machine takes text_simd.wasm. */
export const hasSimd = () => WebAssembly.validate(Uint8Array.from(PROBE));

/** A language model: the engine with the tables of one export. */
export class TextNetwork {
  /**
   * @param {WebAssembly.Module} engine text.wasm or text_simd.wasm, compiled
   * @param {ArrayBuffer | Uint8Array} tables network.bin
   */
  constructor(engine, tables) {
    const bytes = tables instanceof Uint8Array ? tables : new Uint8Array(tables);
    const { exports } = new WebAssembly.Instance(engine);
    this.engine = exports;
    this.free = (exports.__heap_base.value + 7) & ~7;
    const at = this.reserve(bytes.length);
    new Uint8Array(exports.memory.buffer).set(bytes, at);
    this.model = exports.load(at);
    if (!this.model) throw new Error("dendrix: expected tables that `dendrix export --to wasm` wrote for a language model, got something else.");
    const [, , start, length] = new Uint32Array(Uint8Array.from(bytes.subarray(0, 16)).buffer);
    /** vocabulary, is_bytes. */
    this.about = JSON.parse(new TextDecoder().decode(bytes.subarray(start, start + length)));
    this.input = this.reserve(2 * PIECE);
    this.answer = this.reserve(16);
  }

  /** Fetch and compile the engine that suits this machine, and fetch the tables, from the folder of the export. */
  static async load(folder) {
    const read = async (name) => (await fetch(new URL(name, folder))).arrayBuffer();
    const [engine, tables] = await Promise.all([read(hasSimd() ? "text_simd.wasm" : "text.wasm"), read("network.bin")]);
    return new TextNetwork(await WebAssembly.compile(engine), tables);
  }

  /** Memory at a multiple of 8. */
  reserve(size) {
    const at = this.free;
    this.free = (at + size + 7) & ~7;
    const missing = this.free - this.engine.memory.buffer.byteLength;
    if (missing > 0) this.engine.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  /** Start a text. Texts of one network are independent. */
  text(options) {
    return new Text(this, options);
  }
}

/** One text, which is read and continued. */
export class Text {
  constructor(network, options) {
    this.network = network;
    this.size = network.engine.size(network.model);
    this.memory = network.reserve(this.size);
    this.restart(options);
  }

  /**
   * Start a new text in the same memory. Equal seeds give equal texts on every machine.
   * @param {{temperature?: number, seed?: bigint}} options a temperature of 0 always chooses the most likely token
   */
  restart({ temperature = 1, seed = 0n } = {}) {
    const { engine, model } = this.network;
    checked(engine.init(this.memory, this.size, model, Math.round(temperature * 1000), BigInt(seed)));
  }

  /**
   * Read text, or tokens.
   * @param {string | ArrayLike<number>} text a string for a network of bytes, otherwise the numbers of tokens
   */
  push(text) {
    const { engine, input, about } = this.network;
    if (typeof text === "string" && !about.is_bytes) throw new Error("dendrix: expected numbers of tokens, got a string.");
    const tokens = typeof text === "string" ? new TextEncoder().encode(text) : text;
    if (Array.prototype.some.call(tokens, (token) => !(token >= 0 && token < about.vocabulary))) checked(-2);
    for (let start = 0; start < tokens.length; start += PIECE) {
      const piece = Uint16Array.from(Array.prototype.slice.call(tokens, start, start + PIECE));
      new Uint16Array(engine.memory.buffer, input, piece.length).set(piece);
      checked(engine.push(this.memory, input, piece.length));
    }
  }

  /** The next token, and the logits, whole numbers. */
  result() {
    const { engine, answer, about } = this.network;
    checked(engine.result(this.memory, answer));
    const [logits, token, steps] = new Uint32Array(engine.memory.buffer, answer, 3);
    return { token, steps, logits: new Int32Array(engine.memory.buffer, logits, about.vocabulary) };
  }

  /** Continue the text by `count` tokens. */
  *tokens(count) {
    for (; count > 0; count--) {
      const { token } = this.result();
      yield token;
      this.push([token]);
    }
  }

  /** Continue the text by `count` bytes, in complete characters. */
  *generate(count) {
    const decoder = new TextDecoder();
    for (const token of this.tokens(count)) {
      const piece = decoder.decode(Uint8Array.of(token), { stream: true });
      if (piece) yield piece;
    }
    const last = decoder.decode();
    if (last) yield last;
  }

  /** The text has ended. */
  stop() {
    checked(this.network.engine.stop(this.memory));
  }

  /** State after the last token, whole numbers, for tests. */
  state() {
    const { engine, model } = this.network;
    return new Int32Array(engine.memory.buffer, engine.state(this.memory), engine.state_count(model));
  }
}
