// Compares every step of the test vectors with the reference: node selftest.mjs
import { readFileSync } from "node:fs";
import { Network } from "./dendrix.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const network = new Network(new WebAssembly.Module(file("dendrix.wasm")), new Uint8Array(file("network.bin")));
const { clips } = JSON.parse(file("vectors.json"));
const step = network.about.values_per_step;
const stream = network.stream();

function expectEqual(found, expected, what) {
  if (String(found) !== String(expected)) throw new Error(`${what}: expected ${expected}, got ${found}.`);
}

for (const [index, { values, totals, answer }] of clips.entries()) {
  const input = Int16Array.from(values);
  stream.restart();
  let sure = false;
  for (let t = 0; t < Math.floor(input.length / step) && !sure; t++) {
    sure = stream.push(input.subarray(t * step, (t + 1) * step));
    expectEqual(stream.totals(), totals[t], `clip ${index}, step ${t}`);
  }
  stream.restart();
  for (let done = 0, piece = 1; done < input.length; done += piece, piece = ((piece * 7 + 3) % 61) + 1) stream.push(input.subarray(done, done + piece));
  stream.stop();
  const { index: label, steps, stopped, confidence } = stream.result();
  expectEqual([label, confidence * 65536, steps, stopped], [answer.label, answer.confidence, answer.steps, answer.stopped], `clip ${index}`);
}
console.log(`${clips.length} clips equal the reference at every step.`);
