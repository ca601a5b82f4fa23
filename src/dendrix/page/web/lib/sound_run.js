// A delay network on sound, step by step: the run until its exit rule is sure, and beside it the run without an exit.
import { Network } from "../engines/dendrix.mjs";

const DECISION = 16; // place of the decision in the structure of a network, see dendrix.h
const RULE = 27; // of the number of the rule in the decision

export class SoundRun {
  /**
   * @param {WebAssembly.Module} engine
   * @param {Uint8Array} tables
   * @param {object} about an entry of models/hear.json
   */
  constructor(engine, tables, about) {
    this.about = about;
    this.exiting = new Network(engine, tables);
    this.full = new Network(engine, tables);
    new Uint8Array(this.full.engine.memory.buffer)[this.full.model + DECISION + RULE] = 0;
    this.network = this.full.about;
    this.streams = [this.exiting.stream(), this.full.stream()];
    this.restart(BigInt(about.thresholds.at(-1).bound));
  }

  /** Begin again from rest; the rule stops when its sum of powers is below `bound`. */
  restart(bound) {
    const { engine, model } = this.exiting;
    const memory = new DataView(engine.memory.buffer);
    memory.setBigUint64(memory.getUint32(model + DECISION, true), bound, true);
    for (const stream of this.streams) stream.restart();
    this.filled = 0;
    this.step = 0;
    this.operations = 0;
    this.exit = null;
    this.before = null;
  }

  /** Push 16-bit samples; `each(step)` is called with every step. */
  push(samples, each) {
    const [exiting, full] = this.streams;
    const hop = this.network.values_per_step;
    for (let done = 0; done < samples.length; ) {
      const piece = samples.subarray(done, done + hop - this.filled);
      done += piece.length;
      this.filled += piece.length;
      const sure = !this.exit && exiting.push(piece);
      full.push(piece);
      if (this.filled < hop) break;
      this.filled = 0;
      this.note(sure, each);
    }
  }

  /** The sound has ended: fill the last frame with zeros, and run the tail. Returns { exit, full }. */
  stop(each) {
    const [exiting, full] = this.streams;
    if (!this.step && !this.filled) throw new Error("Expected sound, got none.");
    if (this.filled) this.push(new Int16Array(this.network.values_per_step - this.filled), each);
    for (let t = 0; t < this.network.tail_steps; t++) {
      if (!this.exit) exiting.silence();
      full.silence();
      // The engine's own tail would end the stream; the rule is asked through a result that it has just computed.
      this.note(!this.exit && this.isSure(), each);
    }
    const end = { ...full.result(), operations: this.operations };
    if (!this.exit) this.exit = { ...exiting.result(), stopped: false, operations: this.operations };
    return { exit: this.exit, full: end };
  }

  isSure() {
    return this.streams[0].result().stopped;
  }

  note(sure, each) {
    const [exiting, full] = this.streams;
    const { layers } = this.network;
    const spikes = layers.map((_, l) => full.spikes(l));
    this.step++;
    this.operations += layers.reduce((sum, { inputs, outputs, synapses }, l) => sum + (l ? bits(spikes[l - 1]) : inputs) * outputs * synapses, 0);
    if (sure) this.exit = { ...exiting.result(), operations: this.operations };
    each?.({ step: this.step, frame: full.frame(), spikes, probability: this.probability(), operations: this.operations, exit: sure ? this.exit : null });
  }

  /** Probability of each class after the last step of the run without an exit. */
  probability() {
    const { unit, mean } = this.about;
    const values = [...this.streams[1].totals()].map((total) => (Number(total) * unit) / (mean ? this.step : 1));
    const top = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - top));
    const sum = powers.reduce((total, power) => total + power, 0);
    return Float32Array.from(powers, (power) => power / sum);
  }
}

/** Number of bits that are set. */
export function bits(bytes) {
  let count = 0;
  for (let byte of bytes) for (; byte; byte &= byte - 1) count++;
  return count;
}
