// Waits for sound that stands out from the noise of the room, so that a network starts when a word does.

const BEFORE_S = 0.2; // sound before the onset that is handed on
const LOUDER = 4; // times the level of the room
const LEAST = 0.008; // smallest level of speech, full scale at 1

export class Gate {
  constructor(rate) {
    this.rate = rate;
    this.kept = [];
    this.room = Infinity;
    this.open = false;
    this.heard = 0; // samples
  }

  /** Take a piece; returns the pieces that the network shall hear. */
  push(piece) {
    this.heard += piece.length;
    if (this.open) return [piece];
    const level = Math.sqrt(piece.reduce((sum, x) => sum + x * x, 0) / (piece.length || 1));
    this.kept.push(piece);
    if (level > Math.max(LEAST, LOUDER * Math.min(this.room, 0.05))) {
      this.open = true;
      return this.kept.splice(0);
    }
    this.room = Math.min(this.room * 1.02, Math.max(level, 1e-4));
    while (this.kept.length > 1 && this.kept.reduce((sum, one) => sum + one.length, 0) > BEFORE_S * this.rate) this.kept.shift();
    return [];
  }
}
