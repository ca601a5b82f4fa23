// Compares the logits after every token of the test vectors with the reference, with both engines: node selftest.mjs
import { readFileSync } from "node:fs";
import { TextNetwork, hasSimd } from "./dendrix_text.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const { temperature, texts } = JSON.parse(file("vectors.json"));

function checksum(numbers) {
  let found = 2166136261;
  for (const number of numbers) found = Math.imul(found ^ number, 16777619);
  return found >>> 0;
}

function expectEqual(found, expected, what) {
  if (String(found) !== String(expected)) throw new Error(`${what}: expected ${expected}, got ${found}.`);
}

for (const engine of hasSimd() ? ["text.wasm", "text_simd.wasm"] : ["text.wasm"]) {
  const network = new TextNetwork(new WebAssembly.Module(file(engine)), new Uint8Array(file("network.bin")));
  const text = network.text();
  for (const [index, { tokens, checks, state, greedy, sampled }] of texts.entries()) {
    text.restart();
    for (const [t, token] of tokens.entries()) {
      text.push([token]);
      expectEqual(checksum(text.result().logits), checks[t], `${engine}, text ${index}, token ${t}`);
    }
    expectEqual(checksum(text.state()), state, `${engine}, state of text ${index}`);
    for (const [heat, expected] of [[0, greedy], [temperature / 1000, sampled]]) {
      text.restart({ temperature: heat, seed: BigInt(index) });
      text.push(tokens.slice(0, 1));
      text.push(tokens.slice(1));
      expectEqual([...text.tokens(expected.length)], expected, `${engine}, continuation of text ${index}`);
    }
  }
}
console.log(`${texts.length} texts equal the reference after every token.`);
