// A language model byte by byte: counts of active inputs and spikes, saved states, and branches of a text.
import { TextNetwork } from "../engines/dendrix_text.mjs";

const EVERY = 64; // bytes between saved states

/** Temperature in thousandths and seed, as the engine takes them. */
function chosen({ temperature = 1, seed = 0n } = {}) {
  return [Math.round(temperature * 1000), BigInt.asUintN(64, BigInt(seed))];
}

/** The network, whose one memory holds the branch that is read or written. */
export class TextRun {
  /**
   * @param {WebAssembly.Module} engine text.wasm or text_simd.wasm of the page
   * @param {Uint8Array} tables models/write.bin
   * @param {object} about models/write.json
   */
  constructor(engine, tables, about) {
    this.about = about;
    this.network = new TextNetwork(engine, tables);
    this.text = this.network.text();
    this.other = this.network.reserve(this.text.size);
    this.inputs = new Float64Array(about.products.length); // active inputs of every product, summed over the bytes so far
    this.sums = new Float64Array(about.products.length); // their magnitudes: of spike counts, the spikes
    this.spikes = 0;
    this.bytes = 0;
  }

  get memory() {
    return new Uint8Array(this.network.engine.memory.buffer, this.text.memory, this.text.size);
  }

  /** Start from rest. */
  rest() {
    this.text.restart();
  }

  save() {
    return this.memory.slice();
  }

  restore(saved) {
    this.memory.set(saved);
  }

  /** How the next bytes are chosen. */
  choose(options) {
    this.network.engine.choose(this.text.memory, this.other, ...chosen(options));
  }

  /** Read one byte; counted unless it was read before. */
  push(byte, again = false) {
    if (again) {
      this.text.push([byte]);
      return;
    }
    const { engine } = this.network;
    const counts = (at) => new Uint32Array(engine.memory.buffer, at, 4097);
    const inputs = counts(engine.inputs());
    const sums = counts(engine.sums());
    const spikes = counts(engine.spikes());
    inputs[0] = spikes[0] = 0;
    this.text.push([byte]);
    this.text.result(); // computes the head, whose inputs count too
    for (let i = 0; i < inputs[0]; i++) {
      this.inputs[i] += inputs[i + 1];
      this.sums[i] += sums[i + 1];
    }
    for (let i = 0; i < spikes[0]; i++) this.spikes += spikes[i + 1];
    this.bytes++;
  }

  /** The byte that the network would write now. */
  choice() {
    return this.text.result().token;
  }

  state() {
    return this.text.state().slice();
  }

  /** Forget the counts. */
  uncount() {
    this.inputs.fill(0);
    this.sums.fill(0);
    this.spikes = this.bytes = 0;
  }
}

/** Energy in nJ of one byte by the model of dendrix.energy, from sums of active inputs and of their magnitudes over `bytes` bytes. */
export function nanojoules(about, { sums, bytes }) {
  let picojoules = 0;
  for (const [i, { kind, inputs: width, outputs }] of about.products.entries()) {
    picojoules += kind === "numbers" ? width * outputs * about.mac_pj : (sums[i] / bytes) * outputs * about.ac_pj;
  }
  return picojoules / 1000;
}

/** The same if every product skipped the inputs that are zero. */
export function nanojoulesSparse(about, { inputs, sums, bytes }) {
  let picojoules = 0;
  for (const [i, { kind, outputs }] of about.products.entries()) {
    picojoules += (outputs / bytes) * (kind === "numbers" ? inputs[i] * about.mac_pj : sums[i] * about.ac_pj);
  }
  return picojoules / 1000;
}

/** Texts that branch: each has its bytes, which of them the network wrote, and states saved on the way. */
export class Branches {
  constructor(run) {
    this.run = run;
    this.all = [];
    this.fresh();
  }

  /** Start an empty branch. */
  fresh() {
    this.run.rest();
    this.run.uncount();
    this.use({ bytes: [], written: [], saved: new Map([[0, this.run.save()]]), from: null });
  }

  use(branch) {
    if (!this.all.includes(branch)) this.all.push(branch);
    this.current = branch;
  }

  /** Read a byte of the visitor's, or one of the network's. */
  push(byte, written) {
    this.run.push(byte);
    const { bytes, saved } = this.current;
    bytes.push(byte);
    this.current.written.push(written);
    if (bytes.length % EVERY === 0) saved.set(bytes.length, this.run.save());
  }

  /** Bring the memory to a place of the current branch: from the last saved state before it, by reading again. */
  at(place) {
    const { bytes, saved } = this.current;
    const start = Math.max(...[...saved.keys()].filter((key) => key <= place));
    this.run.restore(saved.get(start));
    for (const byte of bytes.slice(start, place)) this.run.push(byte, true);
  }

  /** Forget what follows a place. */
  back(place) {
    this.at(place);
    const { bytes, written, saved } = this.current;
    bytes.length = written.length = place;
    for (const key of saved.keys()) if (key > place) saved.delete(key);
  }

  /** Start a branch that shares the bytes before a place. */
  fork(place) {
    const { bytes, written, saved } = this.current;
    this.at(place);
    this.use({
      bytes: bytes.slice(0, place),
      written: written.slice(0, place),
      saved: new Map([...saved].filter(([key]) => key <= place)),
      from: { branch: this.all.indexOf(this.current), place },
    });
  }

  /** Go on with another branch. */
  select(index) {
    this.current = this.all[index];
    this.at(this.current.bytes.length);
  }

  /** Bytes of saved states. */
  get savedBytes() {
    const distinct = new Set(this.all.flatMap(({ saved }) => [...saved.values()]));
    return distinct.size * this.run.text.size;
  }
}
