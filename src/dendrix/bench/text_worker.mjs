// Runs an export for WebAssembly: node text_worker.mjs FOLDER ENGINE PROMPT TEMPERATURE SEED TOKENS. Each line on standard input asks for one
// continuation of the prompt; the answer is a line of JSON with its seconds of processor time and its tokens.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, engine, prompt, temperature, seed, tokens] = process.argv.slice(2);
const { TextNetwork } = await import(pathToFileURL(`${folder}/dendrix_text.mjs`));
const network = new TextNetwork(new WebAssembly.Module(readFileSync(`${folder}/${engine}`)), readFileSync(`${folder}/network.bin`));
const text = network.text();

for await (const _ of createInterface({ input: process.stdin })) {
  text.restart({ temperature: temperature / 1000, seed: BigInt(seed) });
  const began = process.cpuUsage();
  text.push(prompt.split(",").map(Number));
  const written = [...text.tokens(Number(tokens))];
  const { user, system } = process.cpuUsage(began);
  console.log(JSON.stringify({ seconds: (user + system) / 1e6, tokens: written }));
}
