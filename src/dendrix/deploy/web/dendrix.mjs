// Spiking networks of dendrix in a browser, in an AudioWorklet and in node.

const SURE = 1;
// A function that returns a vector: it is valid only where there is SIMD.
const VECTOR = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
const MESSAGES = {
  [-1]: "expected memory and values, got none",
  [-2]: "expected samples at the rate of the network",
  [-4]: "expected no input after stop()",
  [-5]: "expected input before stop()",
};
const PAGE = 65536;
const PIECE = 4096; // values that are handed over at a time

function checked(status) {
  if (status < 0) throw new Error(`dendrix: ${MESSAGES[status] ?? `error ${status}`}.`);
  return status === SURE;
}

/** Whether this machine runs the engines with SIMD. */
export function hasSimd() {
  return WebAssembly.validate(new Uint8Array(VECTOR));
}

/** A network: the engine with the tables of one export. */
export class Network {
  /**
   * @param {WebAssembly.Module} engine dendrix.wasm, compiled
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
    if (!this.model) throw new Error("dendrix: expected tables that `dendrix export --to wasm` wrote, got something else.");
    const [, , start, length] = new Uint32Array(Uint8Array.from(bytes.subarray(0, 16)).buffer);
    /** Labels, rate of samples (0: frames are pushed), channels, values_per_step, dt_ms, tail_steps, frame_shift. */
    this.about = JSON.parse(new TextDecoder().decode(bytes.subarray(start, start + length)));
    this.input = this.reserve(2 * PIECE);
    this.answer = this.reserve(16);
  }

  /** Fetch and compile both files; with `simdUrl`, its engine where there is SIMD. */
  static async load(engineUrl, tablesUrl, simdUrl) {
    const [engine, tables] = await Promise.all([
      fetch(simdUrl && hasSimd() ? simdUrl : engineUrl).then((answer) => answer.arrayBuffer()).then((bytes) => WebAssembly.compile(bytes)),
      fetch(tablesUrl).then((answer) => answer.arrayBuffer()),
    ]);
    return new Network(engine, tables);
  }

  /** Memory at a multiple of 8. */
  reserve(size) {
    const at = this.free;
    this.free = (at + size + 7) & ~7;
    const missing = this.free - this.engine.memory.buffer.byteLength;
    if (missing > 0) this.engine.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  /** Delays of a layer, in steps, [input][output]; of the first synapse where a pair of neurons has several. */
  delays(index) {
    const { inputs, outputs, synapses } = this.about.layers[index];
    const table = new Uint8Array(this.engine.memory.buffer, this.engine.delays(this.model, index), inputs * outputs * synapses);
    const late = (i, o) => {
      if (index) return table[i * outputs + o];
      const value = table[o * synapses * inputs + i];
      return this.about.packed ? value : Math.floor(value / this.about.block); // the first layer has offsets in a history of blocks of channels
    };
    return Uint8Array.from({ length: inputs * outputs }, (_, k) => {
      const delay = late(Math.floor(k / outputs), k % outputs);
      return this.about.packed ? delay >> 4 : delay;
    });
  }

  /** Start a stream from rest. Streams of one network are independent. */
  stream() {
    return new Stream(this);
  }
}

/** One input as it arrives. */
export class Stream {
  constructor(network) {
    this.network = network;
    this.size = network.engine.size(network.model);
    this.memory = network.reserve(this.size);
    this.restart();
  }

  /** Start again from rest, in the same memory. */
  restart() {
    const { engine, model, about } = this.network;
    checked(engine.init(this.memory, this.size, model, about.rate));
  }

  /**
   * Push samples, the values of frames, or the bytes of an image, in pieces of any length.
   * @param {Int16Array | Float32Array | Uint8Array} values floating-point samples have full scale at 1
   * @returns {boolean} whether the exit rule has stopped the stream
   */
  push(values) {
    const { engine, input, about } = this.network;
    let sure = false;
    for (let start = 0; start < values.length && !sure; start += PIECE) {
      const piece = values.subarray(start, start + PIECE);
      const target = new (about.bytes ? Uint8Array : Int16Array)(engine.memory.buffer, input, piece.length);
      if (piece instanceof Float32Array) piece.forEach((value, i) => (target[i] = Math.max(-32768, Math.min(32767, Math.floor(value * 32768 + 0.5)))));
      else target.set(piece);
      sure = checked(engine.push(this.memory, input, piece.length));
    }
    return sure;
  }

  /** The input has ended: run the tail, or the steps of an image. */
  stop() {
    return checked(this.network.engine.stop(this.memory));
  }

  /** The decision so far; `label` is null where the network abstains. */
  result() {
    const { engine, answer, about } = this.network;
    engine.result(this.memory, answer);
    const view = new DataView(engine.memory.buffer, answer, 16);
    const index = view.getInt32(0, true);
    return {
      label: index < 0 ? null : about.labels[index],
      index,
      confidence: view.getUint32(4, true) / 65536,
      steps: view.getUint32(8, true),
      stopped: view.getInt32(12, true) === 1,
    };
  }

  /** Run one step on a frame of zeros, whatever the exit rule says. */
  silence() {
    this.network.engine.run(this.memory, 0);
  }

  /** Spikes of a layer in the last step: bytes, lowest bit first. */
  spikes(layer) {
    const { engine, about } = this.network;
    return new Uint8Array(engine.memory.buffer, engine.spikes(this.memory, layer), Math.ceil(about.layers[layer].outputs / 8)).slice();
  }

  /** The last frame of the front end, as whole numbers. */
  frame() {
    const { engine, model, about } = this.network;
    return new Int16Array(engine.memory.buffer, engine.frame(this.memory, model), about.channels).slice();
  }

  /** Accumulated outputs, whole numbers. */
  totals() {
    const { engine, about } = this.network;
    return new BigInt64Array(engine.memory.buffer, engine.totals(this.memory), about.labels.length).slice();
  }
}
