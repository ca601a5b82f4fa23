// Compares every step of the test vectors with the reference, with and without SIMD: node selftest.mjs
import { readFileSync } from "node:fs";
import { Network, hasSimd } from "./dendrix.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const { clips } = JSON.parse(file("vectors.json"));

function expectEqual(found, expected, what) {
  if (String(found) !== String(expected)) throw new Error(`${what}: expected ${expected}, got ${found}.`);
}

function compare(name) {
  const network = new Network(new WebAssembly.Module(file(name)), new Uint8Array(file("network.bin")));
  const stream = network.stream();
  for (const [index, { values, totals, answer }] of clips.entries()) {
    const pixels = Uint8Array.from(values);
    stream.restart();
    stream.push(pixels);
    for (const [t, total] of totals.entries()) {
      network.engine.step(stream.memory);
      expectEqual(stream.totals(), total, `image ${index}, step ${t}`);
    }
    stream.restart();
    for (let done = 0, piece = 1; done < pixels.length; done += piece, piece = ((piece * 7 + 3) % 61) + 1) stream.push(pixels.subarray(done, done + piece));
    stream.stop();
    const { index: label, steps, stopped, confidence } = stream.result();
    expectEqual([label, confidence * 65536, steps, stopped], [answer.label, answer.confidence, answer.steps, answer.stopped], `image ${index}`);
  }
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < 300; count++) {
    stream.restart();
    stream.push(Uint8Array.from(clips[count % clips.length].values));
    stream.stop();
  }
  return Math.round((count * 1000) / (performance.now() - start));
}

const speeds = [`${compare("dendrix_image.wasm")} images/s`];
if (hasSimd()) speeds.push(`${compare("dendrix_image_simd.wasm")} with SIMD`);
console.log(`${clips.length} images equal the reference at every step; ${speeds.join(", ")}.`);
