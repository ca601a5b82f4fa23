// Records one word from the microphone: from its onset to half a second of quiet.
import { Gate } from "./gate.js";
import { listen, whole } from "./sound.js";

const QUIET_S = 0.5;
const LONGEST_S = 2.2;
const PATIENCE_S = 6;

/**
 * @param {number} rate of the samples
 * @param {(state: string) => void} tell "waiting" and "hearing"
 * @returns {Promise<{ stop: () => void, samples: Promise<Int16Array> }>} samples is rejected with a sentence if nothing was heard
 */
export async function record(rate, tell) {
  const gate = new Gate(rate);
  const pieces = [];
  let length = 0;
  let quiet = 0;
  let loudest = 0;
  let settle;
  const samples = new Promise((resolve, reject) => (settle = { resolve, reject }));
  const finish = () => {
    close();
    if (length) settle.resolve(Int16Array.from(pieces.flatMap((piece) => [...piece])));
    else settle.reject(new Error("Nothing stood out from silence. Speak louder, or check which microphone the browser uses."));
  };
  const close = await listen(rate, (wave) => {
    for (const piece of gate.push(wave)) {
      if (!length) tell("hearing");
      const level = Math.sqrt(piece.reduce((sum, x) => sum + x * x, 0) / (piece.length || 1));
      loudest = Math.max(loudest, level);
      quiet = level < 0.1 * loudest ? quiet + piece.length : 0;
      pieces.push(whole(piece));
      length += piece.length;
    }
    if (quiet > QUIET_S * rate || length > LONGEST_S * rate || (!length && gate.heard > PATIENCE_S * rate)) finish();
  }, finish);
  tell("waiting");
  return { stop: finish, samples };
}
