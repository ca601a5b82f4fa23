// Resampling of a stream by a windowed sinc: equal output for any pieces of the input.

const CROSSINGS = 16; // zero crossings of the sinc on each side

export class Resampler {
  /**
   * @param {number} from rate of the input, in Hz
   * @param {number} to rate of the output, in Hz
   */
  constructor(from, to) {
    this.ratio = from / to;
    this.cutoff = Math.min(1, to / from) * 0.95;
    this.reach = Math.ceil(CROSSINGS / this.cutoff);
    this.kept = new Float32Array(from === to ? 0 : this.reach); // silence before the start
    this.first = -this.kept.length; // place of the first kept sample
    this.made = 0;
  }

  /** Resample a piece, Float32Array; what needs later samples comes with them. */
  push(piece) {
    if (this.ratio === 1) return piece;
    const input = new Float32Array(this.kept.length + piece.length);
    input.set(this.kept);
    input.set(piece, this.kept.length);
    const end = this.first + input.length;
    const output = [];
    for (let centre = this.made * this.ratio; centre + this.reach < end; centre = ++this.made * this.ratio) {
      let sum = 0;
      for (let i = Math.ceil(centre - this.reach); i <= centre + this.reach; i++) sum += (input[i - this.first] ?? 0) * this.weight(i - centre);
      output.push(sum);
    }
    const from = Math.max(Math.ceil(this.made * this.ratio - this.reach) - this.first, 0);
    this.kept = input.slice(from);
    this.first += from;
    return Float32Array.from(output);
  }

  weight(away) {
    const x = Math.PI * this.cutoff * away;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * away) / (this.reach + 1));
    return this.cutoff * (x ? Math.sin(x) / x : 1) * window;
  }
}
