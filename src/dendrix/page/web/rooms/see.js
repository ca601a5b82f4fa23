// A converted image network on a picture: spikes of its layers, evidence, and the step at which its exit rule stops.
import { element, field, reducedMotion, slider } from "../lib/html.js";
import { bytesOf, engineOf, jsonOf } from "../lib/files.js";
import { Figure, lines, mapped } from "../lib/plot.js";
import { ImageRun } from "../lib/image_run.js";
import { Pad } from "../lib/pad.js";
import { Network, hasSimd } from "../engines/dendrix.mjs";

const NAMED = 4; // classes that are drawn in colour
const LINES = ["c2", "c1", "c3", "c4"];
const PACE_MS = 350; // of one step, where the steps are played

export async function open(section) {
  const [about, tables, samples, engine] = await Promise.all([
    jsonOf("models/see.json"),
    bytesOf("models/see.bin"),
    bytesOf("models/see-samples.bin"),
    engineOf(hasSimd() ? "engines/dendrix_image_simd.wasm" : "engines/dendrix_image.wasm"),
  ]);
  new Room(section, about, new ImageRun(new Network(engine, tables), about), samples);
}

class Room {
  constructor(section, about, network, samples) {
    Object.assign(this, { section, about, network });
    const [height, width, channels] = about.image;
    this.size = height * width * channels;
    this.pictures = new Map(about.samples.map((name, i) => [name, samples.subarray(i * this.size, (i + 1) * this.size)]));
    this.build();
    this.choose(about.samples[0]);
  }

  build() {
    const { about } = this;
    const at = about.thresholds.findIndex(({ threshold }) => threshold === about.threshold);
    this.buttons = about.samples.map((name) => {
      const picture = element("canvas", { "aria-hidden": "true" });
      paint(picture, this.pictures.get(name), about.image);
      return element("button", { type: "button", "aria-pressed": "false", onclick: () => this.choose(name) }, picture, name);
    });
    this.file = element("input", { type: "file", accept: "image/*", onchange: () => this.read(this.file.files[0]) });
    this.threshold = slider("Stop when the probability exceeds", {
      min: 0, max: about.thresholds.length - 1, value: at, text: (i) => this.nameOf(about.thresholds[i].threshold), change: () => this.run(),
    });
    this.shown = slider("Step that is shown", { min: 1, max: about.steps, value: about.steps, change: (step) => this.show(step) });
    this.status = element("p", { role: "status", class: "small" });
    this.answer = element("p", { class: "answer", "aria-live": "polite" });
    this.detail = element("p", {});
    this.guarantee = element("p", { class: "note" });
    this.input = element("canvas", { role: "img", "aria-label": "The picture, as the network gets it" });
    this.input.className = "input";
    this.evidence = new Figure("Probability after each step", { caption: "The dashed line is the exit. Steps after it are what the rule saves; they are run here for comparison." });
    this.rates = new Figure("Spikes per neuron and step, by layer", { height: 200 });
    this.errors = new Figure("Error of each layer, by step", { height: 220 });
    this.errorsNote = element("p", { class: "small" });
    this.layers = about.layers.map((layer, i) => {
      const canvas = element("canvas", { role: "img" });
      const text = element("p", {});
      return { ...layer, canvas, text, title: `Layer ${i + 1}`, node: element("li", {}, canvas, text) };
    });
    this.play = element("button", { type: "button", onclick: () => this.animate() }, "Play the steps");
    this.section.append(
      element("p", { class: "lead" }, `The network ${about.network} answers in at most ${about.steps} steps. After each step it adds up its outputs; as soon as one class is likely enough, it stops.`),
      element("fieldset", { class: "choices" }, element("legend", {}, about.shipped ? "Drawings that come with dendrix" : "Pictures"), ...this.buttons),
      element("div", { class: "row" }, field("Or a picture of yours (it stays on this device)", this.file)),
      about.image[2] === 1 ? new Pad(about.image, (pixels) => this.drawn(pixels)).node : "",
      this.status,
      element("div", { class: "columns" },
        element("div", {}, element("div", { class: "picture" }, this.input, element("div", {}, this.answer, this.detail)), this.threshold.field, this.guarantee),
        this.evidence.node,
      ),
      element("h2", {}, "Spikes of each layer"),
      element("div", { class: "row" }, this.shown.field, this.play),
      element("ul", { class: "layers" }, ...this.layers.map(({ node }) => node)),
      element("p", { class: "small" }, "Each picture adds up a layer’s spikes over its channels, from the first step to the one that is shown; negative spikes take back earlier ones."),
      element("div", { class: "columns" }, this.rates.node, element("div", {}, this.errors.node, this.errorsNote)),
    );
  }

  nameOf(threshold) {
    return `${+(100 * threshold).toFixed(2)} %${threshold === this.about.threshold && this.about.certified ? " (certified)" : ""}`;
  }

  /** Show a sample. */
  choose(name) {
    this.name = name;
    this.file.value = "";
    this.status.textContent = "";
    this.use(this.pictures.get(name));
  }

  /** Show a picture from a file. */
  async read(file) {
    if (!file) return;
    try {
      const pixels = await pixelsOf(file, this.about.image);
      this.name = null;
      this.status.textContent = `${file.name}: its centre was scaled to ${this.about.image[1]} x ${this.about.image[0]} pixels.`;
      this.use(pixels);
    } catch {
      this.status.textContent = `${file.name}: expected a picture that this browser can read, such as PNG or JPEG, got something else. The last picture stays.`;
    }
  }

  /** Show what was drawn. */
  drawn(pixels) {
    this.name = null;
    this.file.value = "";
    this.status.textContent = "What you draw is scaled to the size of the network.";
    this.use(pixels);
  }

  use(pixels) {
    this.pixels = pixels;
    for (const [i, button] of this.buttons.entries()) button.setAttribute("aria-pressed", String(this.about.samples[i] === this.name));
    paint(this.input, pixels, this.about.image);
    this.run();
  }

  /** Run all steps, with the threshold of the slider. */
  run() {
    const { about } = this;
    const { threshold, bound, mean_steps: steps_there, accuracy } = about.thresholds[this.threshold.input.valueAsNumber];
    const started = performance.now();
    this.result = this.network.run(this.pixels, BigInt(bound));
    const spent = performance.now() - started;
    const { label, exit, probability } = this.result;
    this.section.dataset.label = label;
    this.section.dataset.exit = exit.step;
    this.section.dataset.stopped = exit.stopped;
    this.section.dataset.confidence = exit.confidence;
    this.answer.textContent = label;
    const confidence = `${(exit.confidence / 655.36).toFixed(1)}\u00a0%`;
    this.detail.textContent = exit.stopped
      ? `Sure after ${exit.step} of ${about.steps} steps, with a probability of ${confidence}.`
      : `Never sure: the answer after all ${about.steps} steps, with a probability of ${confidence}.`;
    const certified = about.certified && threshold === about.threshold;
    this.guarantee.textContent = certified
      ? `${about.certified.statement} On those inputs it needs ${about.certified.mean_steps.toFixed(2)} steps in the mean.`
      : about.certified
        ? `This threshold is not the certified one, so it has no guarantee.${accuracy ? ` Of ${about.weighed_inputs.toLocaleString("en")} validation images ${(100 * accuracy).toFixed(1)} % were answered correctly, after ${steps_there.toFixed(2)} steps in the mean.` : ""}`
        : "This network has no certificate, so its exits have no guarantee.";
    this.section.dataset.ms = spent.toFixed(2);
    const likeliest = about.labels.map((_, k) => Math.max(...probability.map((row) => row[k])) + (k === exit.index)); // over time; the answer first
    const order = [...about.labels.keys()].sort((i, j) => likeliest[j] - likeliest[i]);
    const steps = probability.map((_, t) => t + 1);
    const line = (k) => probability.map((row) => 100 * row[k]);
    lines(this.evidence, {
      series: [
        ...order.slice(NAMED).reverse().map((k) => ({ colour: "grid", x: steps, y: line(k), width: 1.5 })),
        ...order.slice(0, NAMED).map((k, i) => ({ name: about.labels[k], colour: LINES[i], x: steps, y: line(k), points: true, dash: DASHES[i] })).reverse(),
      ],
      xLabel: "step", yLabel: "probability, %", x: [1, about.steps], y: [0, 100],
      marks: exit.stopped ? [{ x: exit.step, name: "exit" }] : [],
      text: `${label} leads with ${confidence}; ${exit.stopped ? `the exit is at step ${exit.step} of ${about.steps}` : "the network never exits early"}.`,
    });
    this.shown.input.value = exit.step;
    this.shown.told();
    this.show(exit.step);
    this.drawRates();
    this.drawErrors();
  }

  /** Show the spikes of all layers up to a step. */
  show(step) {
    for (const [index, layer] of this.layers.entries()) {
      const [height, width, channels] = layer.shape;
      const sum = new Float32Array(height * width);
      let sent = 0;
      for (let t = 0; t < step; t++) {
        const spikes = this.result.spikes[t][index];
        for (let i = 0; i < spikes.length; i++) {
          sum[Math.floor(i / channels)] += spikes[i];
          sent += spikes[i] !== 0;
        }
      }
      layer.canvas.width = width;
      layer.canvas.height = height;
      const top = sum.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      layer.canvas.getContext("2d").putImageData(mapped(sum, width, height, top), 0, 0);
      const count = sent.toLocaleString("en");
      layer.canvas.setAttribute("aria-label", `${layer.title}, ${height} by ${width} places with ${channels} channels: ${count} spikes up to step ${step}.`);
      layer.text.replaceChildren(element("strong", {}, layer.title), element("br"), `${height} × ${width} × ${channels}`, element("br"), `${count} spikes`);
    }
  }

  async animate() {
    if (reducedMotion()) {
      this.show(this.about.steps);
      return;
    }
    this.play.disabled = true;
    for (let step = 1; step <= this.about.steps; step++) {
      this.shown.input.value = step;
      this.shown.told();
      this.show(step);
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    this.play.disabled = false;
  }

  perLayer(figure, values, options) {
    const steps = Array.from({ length: this.about.steps }, (_, t) => t + 1);
    const series = values.map((y, i) => ({ name: this.layers[i].title, colour: `c${(i + 2) % 7}`, dash: DASHES[i % DASHES.length], x: steps, y }));
    lines(figure, { series, xLabel: "step", x: [1, this.about.steps], ...options });
  }

  drawRates() {
    const { spikes } = this.result;
    const rates = this.layers.map((_, i) => spikes.map((step) => step[i].reduce((sum, one) => sum + (one !== 0), 0) / step[i].length));
    const mean = rates.flat().reduce((sum, rate) => sum + rate, 0) / rates.flat().length;
    this.perLayer(this.rates, rates, { y: [0, Math.max(...rates.flat(), 0.1)], yLabel: "rate", text: `A neuron sends ${mean.toFixed(3)} spikes per step in the mean of all layers and steps.` });
  }

  drawErrors() {
    const known = this.about.errors[this.name];
    const errors = known ?? this.errorsOfOwn();
    this.perLayer(this.errors, errors, {
      y: [0, Math.max(...errors.flat(), 0.1)], yLabel: "relative error",
      text: `At the last step the error is ${errors.map((row, i) => `${row.at(-1).toFixed(2)} in layer ${i + 1}`).join(", ")}.`,
    });
    this.errorsNote.textContent = known
      ? "Mean spikes so far against the activations of the network before its conversion; computed by Python when this page was built."
      : "The activations of the network before its conversion are known for the pictures above only. For yours this is the difference of the mean spikes so far from those after all steps.";
  }

  /** Distance of the mean output after each step from that after all steps, by layer. */
  errorsOfOwn() {
    const { spikes } = this.result;
    return this.layers.map((_, i) => {
      const size = spikes[0][i].length;
      const whole = new Float64Array(size);
      for (const step of spikes) for (let k = 0; k < size; k++) whole[k] += step[i][k] / spikes.length;
      const scale = Math.hypot(...chunksOf(whole)) || 1;
      const sum = new Float64Array(size);
      return spikes.map((step, t) => {
        for (let k = 0; k < size; k++) sum[k] += step[i][k];
        return Math.hypot(...chunksOf(sum.map((value, k) => value / (t + 1) - whole[k]))) / scale;
      });
    });
  }
}

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** Norms of pieces, as a call takes no more than some ten thousand arguments. */
function chunksOf(values) {
  const found = [];
  for (let at = 0; at < values.length; at += 4096) found.push(Math.hypot(...values.subarray(at, at + 4096)));
  return found;
}

function paint(canvas, pixels, [height, width, channels]) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = pixels[i * channels + Math.min(k, channels - 1)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Centre of a picture as bytes [height][width][channels]. */
async function pixelsOf(file, [height, width, channels]) {
  const picture = await createImageBitmap(file);
  const side = Math.min(picture.width / width, picture.height / height);
  const [w, h] = [side * width, side * height];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // below transparent parts
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const found = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const colours = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) found[i] = Math.round((colours[0] + colours[1] + colours[2]) / 3);
    else found.set(colours, 3 * i);
  }
  return found;
}
