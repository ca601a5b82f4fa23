// A delay network on sound: what it hears, its spikes, the evidence for each word, and the moment at which its exit rule is sure.
import { element, field, slider, table } from "../lib/html.js";
import { bytesOf, engineOf, jsonOf } from "../lib/files.js";
import { Figure, lines } from "../lib/plot.js";
import { columns, delayMap } from "../lib/rasters.js";
import { fault, listen, samplesOfFile, whole } from "../lib/sound.js";
import { Gate } from "../lib/gate.js";
import { bits } from "../lib/sound_run.js";
import { startThread } from "../lib/thread.js";

const NAMED = 4; // words that are drawn in colour
const COLOURS = ["c2", "c1", "c3", "c4"];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
const SHOWN = 400; // steps that are drawn
const AFTER_S = 0.6; // sound after the exit, for the run without one
const LONGEST_S = 4; // of a word from the microphone
const PATIENCE_S = 6; // until silence is reported

// Made when the module is loaded, as its file cannot be fetched without a connection.
const { worker, failed } = startThread(new URL("../workers/hear.js", import.meta.url), "the network");

export async function open(section) {
  const [{ networks }, engine] = await Promise.all([jsonOf("models/hear.json"), engineOf("engines/dendrix.wasm")]);
  const room = new Room(section, networks, engine);
  await room.load(networks[0]);
}

class Room {
  constructor(section, networks, engine) {
    Object.assign(this, { section, networks, engine, id: 0 });
    worker.onmessage = ({ data }) => this.told(data);
    addEventListener("hashchange", () => location.hash !== "#hear" && this.finish()); // the microphone is off in other rooms
    this.build();
  }

  build() {
    this.which = element("select", { onchange: () => this.load(this.networks[this.which.selectedIndex]) },
      ...this.networks.map(({ network, title }) => element("option", { value: network }, title ? `${network}: ${title}` : network)));
    this.choices = element("fieldset", { class: "choices" });
    this.file = element("input", { type: "file", accept: "audio/*,.wav,.ogg,.flac,.mp3", onchange: () => this.read(this.file.files[0]) });
    this.button = element("button", { type: "button", class: "main", onclick: () => (this.stop ? this.finish() : this.listen()) }, "Listen");
    this.again = element("input", { type: "checkbox", id: "again" });
    this.status = element("p", { role: "status", class: "small" });
    this.answer = element("p", { class: "answer", "aria-live": "polite" });
    this.detail = element("p", {});
    this.guarantee = element("p", { class: "note" });
    this.beside = element("div", {});
    this.evidence = new Figure("Probability of each word after each step", { height: 240, caption: "The dashed line is the exit. The run without an exit goes on, for comparison." });
    this.frames = new Figure("Energies from low frequencies (below) to high ones", { height: 150, caption: "Blue is above the mean of a frame or of the training, red or orange below it." });
    this.work = new Figure("Operations so far", { height: 170, caption: "The first layer multiplies every energy; the others add weights only where a neuron has sent a spike." });
    this.rasters = element("div", {});
    this.maps = element("div", { class: "columns" });
    this.threshold = element("div", {});
    this.section.append(
      element("p", { class: "lead" }, "The network hears a recorded word step by step. As soon as one word is likely enough, it answers and stops."),
      element("div", { class: "row" }, field("Network", this.which), this.button, element("label", { for: "again" }, this.again, " one word after another")),
      this.choices,
      element("div", { class: "row" }, field("Or a recording of yours (it stays on this device)", this.file)),
      this.status,
      element("div", { class: "columns" }, element("div", {}, this.answer, this.detail, this.threshold, this.guarantee, this.beside), this.evidence.node),
      element("h2", {}, "What the network hears"),
      this.frames.node,
      element("h2", {}, "Spikes of each layer"),
      this.rasters,
      this.work.node,
      element("h2", {}, "Learned delays"),
      element("p", { class: "small" }, "A spike reaches the next layer after a delay that was learned. Places that stand out from the page are late."),
      this.maps,
    );
  }

  /** Take a network. */
  async load(about) {
    this.finish();
    this.about = about;
    const [tables, recordings] = await Promise.all([bytesOf(about.tables), bytesOf(about.recordings)]);
    const loaded = new Promise((resolve, reject) => Object.assign(this, { loaded: resolve, refused: reject }));
    worker.postMessage({ id: ++this.id, load: { engine: this.engine, tables, about } });
    const found = await Promise.race([loaded, failed]);
    this.network = found.loaded;
    const whole16 = new Int16Array(recordings.buffer, recordings.byteOffset, recordings.length / 2);
    let at = 0;
    this.samples = new Map(about.samples.map(({ name, length }) => [name, whole16.subarray(at, (at += length))]));
    this.buttons = [...this.samples.keys()].map((name) => element("button", { type: "button", "aria-pressed": "false", onclick: () => this.choose(name) }, name));
    this.choices.replaceChildren(element("legend", {}, "Recordings that come with dendrix"), ...this.buttons);
    const chosen = about.thresholds.findIndex(({ threshold }) => threshold === about.threshold);
    this.slider = slider("Stop when the probability exceeds", {
      min: 0, max: about.thresholds.length - 1, value: chosen, text: (i) => this.nameOf(about.thresholds[i].threshold), change: () => this.sound && this.hear(this.sound, this.name),
    });
    this.threshold.replaceChildren(this.slider.field);
    this.spiking = this.network.layers.map((layer, index) => ({ ...layer, index })).filter(({ kind }) => kind !== "li");
    this.layers = this.spiking.map((layer) => ({ ...layer, figure: new Figure(`Layer ${layer.index + 1}: ${layer.outputs} neurons`, { height: 110 + layer.outputs / 4 }) }));
    this.rasters.replaceChildren(...this.layers.map(({ figure }) => figure.node));
    this.maps.replaceChildren(...this.network.layers.map((layer, index) => {
      const figure = new Figure(`Into layer ${index + 1}`, { height: Math.min(layer.inputs, 128) });
      const text = delayMap(figure, { ...layer, delays: found.delays[index], dtMs: this.network.dt_ms });
      return element("div", {}, figure.node, element("p", { class: "small" }, text));
    }));
    this.choose(about.samples.at(-1).name);
  }

  nameOf(threshold) {
    return `${+(100 * threshold).toFixed(2)} %${threshold === this.about.threshold && this.about.certified ? " (certified)" : ""}`;
  }

  get chosen() {
    return this.about.thresholds[this.slider.input.valueAsNumber];
  }

  choose(name) {
    this.file.value = "";
    this.status.textContent = "";
    this.hear(this.samples.get(name), name);
  }

  async read(file) {
    if (!file) return;
    this.finish();
    this.status.textContent = `Reading ${file.name} …`;
    try {
      const samples = whole(await samplesOfFile(file, this.network.rate));
      this.status.textContent = [`${file.name}: ${(samples.length / this.network.rate).toFixed(1)} s.`, fault(samples)].filter(Boolean).join(" ");
      this.hear(samples, null);
    } catch (error) {
      this.status.textContent = `${error.message} The last sound stays.`;
    }
  }

  /** Begin a run in the worker. */
  start(name) {
    this.name = name;
    this.steps = [];
    this.exit = this.full = null;
    for (const [i, button] of this.buttons.entries()) button.setAttribute("aria-pressed", String(this.about.samples[i].name === name));
    delete this.section.dataset.done;
    worker.postMessage({ id: ++this.id, start: { bound: this.chosen.bound } });
  }

  /** Run a sound as a whole. */
  hear(samples, name) {
    this.finish();
    this.sound = this.section.samples = samples;
    this.start(name);
    worker.postMessage({ id: this.id, samples });
    worker.postMessage({ id: this.id, stop: true });
  }

  /** Hear one word from the microphone as it is spoken. */
  async listen() {
    const { about } = this;
    const { rate } = this.network;
    const gate = new Gate(rate);
    this.pieces = [];
    this.begun = false;
    this.button.disabled = true;
    try {
      const stop = await listen(rate, (wave) => this.take(gate, wave), (reason) => (this.finish(), (this.status.textContent = reason)));
      this.button.disabled = false;
      if (this.about !== about || location.hash !== "#hear") return stop(); // another network or room was chosen while the browser asked for permission
      this.stop = stop;
      this.status.textContent = "Say a word.";
      this.button.textContent = "Stop";
      this.section.dataset.listening = "true";
    } catch (error) {
      this.status.textContent = error.message;
    }
    this.button.disabled = false;
  }

  /** A piece from the microphone. */
  take(gate, wave) {
    if (!this.stop) return;
    const pieces = gate.push(wave).map(whole);
    if (pieces.length && !this.begun) {
      this.begun = true;
      this.start(null);
      this.status.textContent = "Hearing …";
    }
    for (const samples of pieces) {
      this.pieces.push(samples);
      worker.postMessage({ id: this.id, samples });
    }
    const heard = this.pieces.reduce((sum, piece) => sum + piece.length, 0) / this.network.rate;
    if (!this.begun && gate.heard > PATIENCE_S * this.network.rate) {
      this.status.textContent = "Nothing stands out from silence. Speak louder, or check which microphone the browser uses.";
    }
    const enough = this.exit ? heard > (this.exit.steps * this.network.dt_ms) / 1000 + AFTER_S : heard > LONGEST_S;
    if (this.begun && enough) this.finish(this.again.checked);
  }

  /** End listening; the word that was heard so far is answered. */
  finish(again = false) {
    if (!this.stop) return;
    this.stop();
    this.stop = null;
    this.button.textContent = "Listen";
    delete this.section.dataset.listening;
    if (!this.begun) {
      this.status.textContent = "Nothing was heard.";
      return;
    }
    this.sound = this.section.samples = Int16Array.from(this.pieces.flatMap((piece) => [...piece]));
    worker.postMessage({ id: this.id, stop: true });
    this.status.textContent = fault(this.sound) ?? `${(this.sound.length / this.network.rate).toFixed(1)} s were heard.`;
    if (again) this.listen();
  }

  /** News from the worker. */
  told(data) {
    if (data.started) return;
    if (data.loaded) this.loaded(data);
    if (data.id !== this.id || data.loaded) return;
    if (data.problem) {
      this.refused(new Error(data.problem));
      this.status.textContent = data.problem;
      return;
    }
    this.steps = this.steps.concat(data.steps).slice(-SHOWN);
    this.exit ??= data.exit;
    this.full = data.full;
    this.operations = data.operations;
    this.total = data.total;
    if (data.progress != null) this.status.textContent = `Hearing: ${Math.round(100 * data.progress)} %.`;
    if (data.done && this.status.textContent.startsWith("Hearing")) this.status.textContent = "";
    this.wanted ??= requestAnimationFrame(() => {
      this.wanted = null;
      this.draw();
      if (this.full) this.section.dataset.done = "true";
    });
  }

  draw() {
    const { steps, network } = this;
    if (!steps.length) return;
    const dtS = network.dt_ms / 1000;
    const last = steps.at(-1).probability;
    const order = [...network.labels.keys()].sort((i, j) => last[j] - last[i]);
    const best = network.labels[order[0]];
    this.say(order, best);
    const marks = this.exit?.stopped ? [{ x: this.exit.steps * dtS, name: "exit" }] : [];
    const x = steps.map(({ step }) => step * dtS);
    const span = [x[0] - dtS, Math.max(x.at(-1), x[0] + dtS)];
    const line = (k) => steps.map(({ probability }) => 100 * probability[k]);
    lines(this.evidence, {
      series: [
        ...order.slice(NAMED, 2 * NAMED + 2).reverse().map((k) => ({ colour: "grid", x, y: line(k), width: 1.5 })),
        ...order.slice(0, NAMED).map((k, i) => ({ name: network.labels[k], colour: COLOURS[i], dash: DASHES[i], x, y: line(k) })).reverse(),
      ],
      xLabel: "time, s", yLabel: "probability, %", x: span, y: [0, 100], marks,
      text: `${best} leads with ${(100 * last[order[0]]).toFixed(1)} % after ${this.total} steps; ${marks.length ? `the exit is at ${(this.exit.steps * dtS).toFixed(2)} s` : "no exit"}.`,
    });
    const loudest = steps.reduce((top, { frame }) => frame.reduce((most, value) => Math.max(most, Math.abs(value)), top), 1);
    columns(this.frames, {
      steps, dtS, marks, rows: network.channels, top: loudest, value: ({ frame }, row) => frame[row],
      text: `${network.channels} energies in each of ${steps.length} steps.`,
    });
    for (const layer of this.layers) {
      const count = steps.reduce((sum, { spikes }) => sum + bits(spikes[layer.index]), 0);
      columns(layer.figure, {
        steps, dtS, marks, rows: layer.outputs, top: 1, value: ({ spikes }, row) => (spikes[layer.index][row >> 3] >> (row & 7)) & 1,
        text: `${count.toLocaleString("en")} spikes in ${steps.length} steps.`,
      });
    }
    lines(this.work, {
      series: [{ colour: "c2", x, y: steps.map(({ operations }) => operations / 1e6) }],
      xLabel: "time, s", yLabel: "millions", x: span, marks, text: `${this.operations.toLocaleString("en")} operations in ${this.total} steps.`,
    });
  }

  /** The answer so far, in words. */
  say(order, best) {
    const { network, exit, full, about } = this;
    const seconds = (steps) => `${((steps * network.dt_ms) / 1000).toFixed(2)} s`;
    const name = ({ label }) => label ?? "no answer";
    if (exit) {
      Object.assign(this.section.dataset, { label: exit.label, exit: exit.steps, stopped: exit.stopped, confidence: Math.round(exit.confidence * 65536), operations: exit.operations });
      this.answer.textContent = name(exit);
      const confidence = `${(100 * exit.confidence).toFixed(1)} %`;
      this.detail.textContent = exit.stopped ? `Sure after ${seconds(exit.steps)}, with a probability of ${confidence}.` : `Never sure: the answer at the end, with a probability of ${confidence}.`;
    } else {
      this.answer.textContent = `${best} …`;
      this.detail.textContent = "Not sure yet.";
    }
    const certified = about.certified && this.chosen.threshold === about.threshold;
    this.guarantee.textContent = certified
      ? `${about.certified.statement} On those inputs it needs ${((about.certified.mean_steps * network.dt_ms) / 1000).toFixed(2)} s in the mean.`
      : about.certified
        ? "This threshold is not the certified one, so it has no guarantee."
        : "This network has no certificate, so its exits have no guarantee.";
    if (!full) {
      this.beside.replaceChildren();
      return;
    }
    this.section.dataset.full = full.index;
    const row = (title, one) => [title, name(one), seconds(one.steps), `${(one.operations / 1e6).toFixed(2)} million`];
    this.beside.replaceChildren(table("With an exit and without one", ["run", "answer", "time heard", "operations"], [row("with the exit", exit), row("without an exit", full)]));
  }
}
