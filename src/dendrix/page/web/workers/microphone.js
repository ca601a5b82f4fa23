// Sends what the microphone hears to the page, in pieces of a fiftieth of a second.

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.kept = new Float32Array(Math.round(sampleRate / 50));
    this.filled = 0;
  }

  process([[channel]]) {
    for (let done = 0; channel && done < channel.length; ) {
      const piece = channel.subarray(done, done + this.kept.length - this.filled);
      this.kept.set(piece, this.filled);
      this.filled += piece.length;
      done += piece.length;
      if (this.filled === this.kept.length) {
        this.port.postMessage(this.kept.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
