// Runs an export for WebAssembly: node deploy_worker.mjs FOLDER. Each line on standard input asks for one run of FOLDER/../input.bin, 16-bit
// values; the answer is a line of JSON with its seconds and the sums of the outputs.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const file = (name) => readFileSync(`${process.argv[2]}/${name}`);
const { Network } = await import(`${process.argv[2]}/dendrix.mjs`);
const network = new Network(new WebAssembly.Module(file("dendrix.wasm")), new Uint8Array(file("network.bin")));
const bytes = file("../input.bin");
const input = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
const stream = network.stream();

for await (const _ of createInterface({ input: process.stdin })) {
  stream.restart();
  const began = performance.now();
  stream.push(input);
  const seconds = (performance.now() - began) / 1e3;
  console.log(JSON.stringify({ seconds, sums: Array.from(stream.totals(), Number) }));
}
