export interface About {
  vocabulary: number;
  /** Whether a token is a byte of UTF-8. */
  is_bytes: boolean;
}

export interface Options {
  /** 0 always chooses the most likely token; 1 by default. */
  temperature?: number;
  seed?: bigint;
}

export interface Answer {
  token: number;
  /** Tokens that were read. */
  steps: number;
  /** Times 65,536; valid until the next push. */
  logits: Int32Array;
}

export function hasSimd(): boolean;

export class TextNetwork {
  constructor(engine: WebAssembly.Module, tables: ArrayBuffer | Uint8Array);
  /** The folder of the export, with a slash at its end. */
  static load(folder: string | URL): Promise<TextNetwork>;
  readonly about: About;
  text(options?: Options): Text;
}

export class Text {
  restart(options?: Options): void;
  push(text: string | ArrayLike<number>): void;
  result(): Answer;
  tokens(count: number): Generator<number>;
  generate(count: number): Generator<string>;
  stop(): void;
  state(): Int32Array;
}
