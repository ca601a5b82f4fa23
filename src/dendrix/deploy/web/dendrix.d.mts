export interface About {
  labels: string[];
  /** In Hz; 0 where frames are pushed. */
  rate: number;
  channels: number;
  values_per_step: number;
  dt_ms: number;
  tail_steps: number;
  /** Fractional bits of the values of a frame. */
  frame_shift: number;
  /** Of delay networks. */
  layers?: { kind: string; inputs: number; outputs: number; synapses: number; taps: number }[];
  /** Of image networks: true, the size of an image, and the largest number of steps. */
  bytes?: boolean;
  height?: number;
  width?: number;
  steps?: number;
}

export interface Answer {
  /** null where the network abstains. */
  label: string | null;
  /** Of the class; -1 where the network abstains. */
  index: number;
  confidence: number;
  steps: number;
  stopped: boolean;
}

export function hasSimd(): boolean;

export class Network {
  constructor(engine: WebAssembly.Module, tables: ArrayBuffer | Uint8Array);
  static load(engineUrl: string | URL, tablesUrl: string | URL, simdUrl?: string | URL): Promise<Network>;
  readonly about: About;
  stream(): Stream;
  /** Delays of a layer of a delay network, in steps, [input][output]. */
  delays(layer: number): Uint8Array;
}

export class Stream {
  restart(): void;
  /** Returns whether the exit rule has stopped the stream. */
  push(values: Int16Array | Float32Array | Uint8Array): boolean;
  stop(): boolean;
  result(): Answer;
  totals(): BigInt64Array;
  /** Of delay networks: a step on zeros, the spikes of a layer in the last step, lowest bit first, and the last frame. */
  silence(): void;
  spikes(layer: number): Uint8Array;
  frame(): Int16Array;
}
