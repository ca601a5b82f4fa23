// The language model in a thread of its own, so that the page stays responsive and can stop it.
import { Branches, TextRun } from "../lib/text_run.js";

const SLICE_MS = 20; // of writing, between looks at messages

let run;
let branches;
let writing = 0; // number of the order that is carried out; 0 for none
let orders = 0;

const pause = () => new Promise((resolve) => setTimeout(resolve));

function told(extra = {}) {
  const { current, all } = branches;
  postMessage({
    bytes: Uint8Array.from(current.bytes),
    written: Uint8Array.from(current.written),
    branch: all.indexOf(current),
    branches: all.map(({ bytes, from }) => ({ length: bytes.length, from })),
    state: run.state(),
    counted: { inputs: run.inputs.slice(), sums: run.sums.slice(), spikes: run.spikes, bytes: run.bytes },
    saved: branches.savedBytes,
    ...extra,
  });
}

/** Push bytes from an iterator in slices of time, until it ends or another order comes. */
async function work(bytes, written, count) {
  const order = (writing = ++orders);
  const began = performance.now();
  let done = 0;
  let looked = began;
  for (const byte of bytes) {
    branches.push(byte, written);
    done++;
    if (performance.now() - looked > SLICE_MS) {
      told({ busy: true, speed: (1000 * done) / (performance.now() - began) });
      await pause();
      if (order !== writing) return;
      looked = performance.now();
    }
  }
  writing = 0;
  told({ busy: false, done: done === count, speed: (1000 * done) / (performance.now() - began), task: written ? "written" : "read" });
}

function* choices(count) {
  for (; count > 0; count--) yield run.choice();
}

const ACTS = {
  load({ engine, tables, about }) {
    run = new TextRun(engine, tables, about);
    branches = new Branches(run);
    told({ busy: false });
  },
  read({ bytes }) {
    return work(bytes, false, bytes.length);
  },
  write({ count, temperature, seed }) {
    if (!branches.current.bytes.length) throw new Error("Expected a beginning to continue, got none. Type some text first.");
    run.choose({ temperature, seed: BigInt(seed) });
    return work(choices(count), true, count);
  },
  stop() {
    writing = 0;
    told({ busy: false });
  },
  fresh() {
    branches.fresh();
    told({ busy: false });
  },
  back({ place }) {
    branches.back(place);
    told({ busy: false });
  },
  fork({ place }) {
    branches.fork(place);
    told({ busy: false });
  },
  select({ index }) {
    branches.select(index);
    told({ busy: false });
  },
};

addEventListener("message", async ({ data }) => {
  try {
    if (data.act !== "read" && data.act !== "write") writing = 0;
    await ACTS[data.act](data);
  } catch (error) {
    writing = 0;
    postMessage({ error: error.message });
  }
});

postMessage({ started: true });
