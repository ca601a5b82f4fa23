// Runs delay networks beside the page, and tells it about their steps in packets.
import { SoundRun } from "../lib/sound_run.js";

const PACKET = 50; // steps of a packet, at most, so that the page is told soon
const KEPT = 400; // steps of which the page gets every detail

let run;
let id = 0;
let steps = [];
let exit = null;
let full = null;

/** Tell the page about the last steps. */
function tell(more = {}) {
  postMessage({ id, steps: steps.splice(0), total: run.step, operations: run.operations, exit, full, ...more });
}

function note(step) {
  if (step.exit) exit = step.exit;
  steps.push(step);
  if (steps.length > KEPT) steps.shift();
}

// Messages are handled in order; a long piece gives way to a newer start.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  if (data.start) id = data.id;
  queue = queue.then(() => handle(data)).catch((error) => postMessage({ id: data.id, problem: error.message }));
};

async function handle(data) {
  if (data.load) {
    run = new SoundRun(data.load.engine, data.load.tables, data.load.about);
    postMessage({ id: data.id, loaded: run.network, delays: run.network.layers.map((_, l) => run.full.delays(l)) });
    return;
  }
  if (data.id !== id) return;
  if (data.start) {
    run.restart(BigInt(data.start.bound));
    steps = [];
    exit = full = null;
  }
  if (data.samples) await push(data);
  if (data.stop && data.id === id) {
    ({ exit, full } = run.stop(note));
    tell({ done: true });
  }
}

async function push({ samples, id: own }) {
  const piece = PACKET * run.network.values_per_step;
  let told = performance.now();
  for (let done = 0; done < samples.length && own === id; done += piece) {
    run.push(samples.subarray(done, done + piece), note);
    if (performance.now() - told > 100) {
      tell({ progress: done / samples.length });
      await new Promise((resolve) => setTimeout(resolve)); // newer messages first
      told = performance.now();
    }
  }
  if (own === id) tell();
}

postMessage({ started: true });
