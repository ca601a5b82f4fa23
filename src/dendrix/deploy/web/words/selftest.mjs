// Compares every frame, code, decision and threshold of the test vectors with the reference: node selftest.mjs
import { readFileSync } from "node:fs";
import { Words, Ear } from "./words.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const words = new Words(new WebAssembly.Module(file("words.wasm")), new Uint8Array(file("words.bin")));
const { clips, events, taught, share } = JSON.parse(file("vectors.json"));

function expectEqual(found, expected, what) {
  if (String(found) !== String(expected)) throw new Error(`${what}: expected ${expected}, got ${found}.`);
}

function expectMatch(code, match, what) {
  const { index, nearest, score, theta } = words.decide(code);
  if (words.list.length) expectEqual([index, words.names.indexOf(nearest), score, theta], Object.values(match), what);
}

for (const [i, clip] of clips.entries()) {
  const ear = new Ear(words, 0, () => {});
  const samples = Int16Array.from(clip.samples);
  for (let done = 0, piece = 1; done < samples.length; done += piece, piece = ((piece * 7 + 3) % 611) + 1) ear.push(samples.subarray(done, done + piece));
  const { bits, onset, offset, words: count } = ear.stop();
  const row = clip.spikes.length / clip.levels.length;
  clip.levels.forEach((level, t) => {
    expectEqual(ear.level(t), level, `clip ${i}, level ${t}`);
    expectEqual(ear.spikes(t).subarray(0, row), clip.spikes.slice(t * row, t * row + row), `clip ${i}, spikes ${t}`);
  });
  expectEqual([onset, offset, count], [clip.onset, clip.offset, clip.words], `clip ${i}, speech`);
  expectEqual(bits, clip.code, `clip ${i}, code`);
  expectMatch(bits, clip.match, `clip ${i}, decision`);
}

const heard = [];
const stream = words.stream((found) => heard.push(found));
const all = Int16Array.from(clips.flatMap((clip) => clip.samples));
for (let done = 0; done < all.length; done += 977) stream.push(all.subarray(done, done + 977));
stream.stop();
expectEqual(heard.length, events.length, "words of the stream");
events.forEach((event, i) => {
  expectEqual([heard[i].onset, heard[i].offset], [event.onset, event.offset], `word ${i} of the stream`);
  expectEqual(heard[i].bits, event.code, `word ${i} of the stream, code`);
  expectMatch(heard[i].bits, event.match, `word ${i} of the stream, decision`);
});
taught.forEach((word, i) => {
  expectEqual(Object.values(words.thresholdAt(words.list[i].codes, share)), Object.values(word), `threshold ${i}`);
});
console.log(`${clips.length} clips, ${events.length} words of a stream and ${taught.length} thresholds equal the reference.`);
