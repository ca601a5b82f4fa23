export interface Code {
  bits: Uint8Array;
  /** First frame of the speech, and the one after the last. */
  onset: number;
  offset: number;
  /** Words in a clip; 0 where no speech stands out. */
  words: number;
}

export interface Word {
  name: string;
  /** Accepted rate of false alarms; null for words of the export. */
  rate: number | null;
  codes: Uint8Array[];
  theta: number;
  mean: number;
  deviation: number;
}

export interface Match {
  /** null for none of the words. */
  name: string | null;
  nearest: string | null;
  score: number;
  theta: number;
}

export interface Report {
  scores: number[];
  rate: number;
  expected: [number, number] | null;
  confusable: { name: string; rate: number }[];
}

export function samplesOf(wave: Float32Array | Int16Array): Int16Array;
export function overlap(a: Uint8Array, b: Uint8Array): number;

export class Words {
  constructor(engine: WebAssembly.Module, tables: ArrayBuffer | Uint8Array);
  static load(engineUrl: string | URL, tablesUrl: string | URL): Promise<Words>;
  readonly names: string[];
  word(name: string): Word;
  code(samples: Float32Array | Int16Array): Code;
  stream(heard: (code: Code) => void): Ear;
  teach(name: string, codes: Uint8Array[], rate: number): Word;
  forget(name: string): void;
  rename(name: string, fresh: string): void;
  decide(code: Uint8Array): Match;
  scores(code: Uint8Array): number[];
  report(name: string, confusable?: number): Report;
}

export class Ear {
  restart(): void;
  push(samples: Float32Array | Int16Array): void;
  stop(): Code | undefined;
}
