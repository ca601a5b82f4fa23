// A spiking language model writes: its text with branches, its state, its active inputs, and the energy of a byte.
import { element, field, slider, table } from "../lib/html.js";
import { bytesOf, engineOf, jsonOf } from "../lib/files.js";
import { Figure, colour, mapped, paste } from "../lib/plot.js";
import { nanojoules, nanojoulesSparse } from "../lib/text_run.js";
import { startThread } from "../lib/thread.js";
import { hasSimd } from "../engines/dendrix_text.mjs";

const { worker, failed } = startThread(new URL("../workers/write.js", import.meta.url), "the language model");
const MOST = 20_000; // bytes of a prompt
const LABELS = 190; // pixels for the names of rows
const ROW = 15;
const FOREIGN = /[^\u0000-\u024f\u2000-\u206f]/; // letters of other scripts than Latin

export async function open(section) {
  const [about, tables, engine] = await Promise.all([
    jsonOf("models/write.json"),
    bytesOf("models/write.bin"),
    engineOf(hasSimd() ? "engines/text_simd.wasm" : "engines/text.wasm"),
  ]);
  const room = new Room(section, about);
  const loaded = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.started) return;
      worker.onmessage = (event) => room.receive(event.data);
      if (data.error) reject(new Error(data.error));
      else resolve(room.receive(data));
    };
  });
  worker.postMessage({ act: "load", engine, tables, about });
  await Promise.race([loaded, failed]);
  failed.catch((error) => room.receive({ error: error.message }));
}

class Room {
  constructor(section, about) {
    Object.assign(this, { section, about });
    this.top = about.state.map(() => 1); // largest magnitude so far of every part of the state
    this.build();
  }

  build() {
    const { about } = this;
    const button = (text, click, attributes = {}) => element("button", { type: "button", onclick: click, ...attributes }, text);
    this.prompt = element("textarea", { rows: 3, spellcheck: "false" });
    this.prompt.value = about.prompt;
    this.temperature = slider("Temperature", { min: 0, max: 1.5, step: 0.05, value: 0.6, text: (value) => (value ? value.toFixed(2) : "0: always the likeliest") });
    this.seed = element("input", { type: "number", min: 0, step: 1, value: 1 });
    this.count = slider("Bytes to write", { min: 50, max: 2000, step: 50, value: 400 });
    this.start = button("Continue the text", () => this.write(), { class: "main" });
    this.stop = button("Stop", () => this.ask("stop"), { disabled: true });
    this.again = button("Start anew", () => this.ask("fresh"));
    this.status = element("p", { role: "status", class: "small" });
    this.problem = element("p", { class: "message", role: "alert", hidden: true });
    this.output = element("div", { class: "text", tabindex: 0, role: "region", "aria-label": "The text so far" });
    this.place = slider("Place in the text", { min: 0, max: 0, value: 0, text: (i) => this.placeName(i), change: () => this.draw() });
    this.back = button("Roll back to this place", () => this.ask("back", { place: this.bytePlace }), { disabled: true });
    this.fork = button("Fork here", () => this.ask("fork", { place: this.bytePlace }), { disabled: true });
    this.branches = element("select", { onchange: () => this.ask("select", { index: this.branches.selectedIndex }) });
    this.figures = element("dl", { class: "facts" });
    this.state = new Figure(`State of the text: ${about.state_bytes.toLocaleString("en")} bytes, however long it becomes`, {
      height: about.state.length * ROW + 8,
      caption: "One row for each part, one column for each number; blue above zero, orange below, relative to the largest value so far.",
    });
    this.active = new Figure("Active inputs of each matrix product, mean over the bytes so far", { height: about.products.length * ROW + 8 });
    this.details = element("details", {}, element("summary", {}, "The same as a table"));
    this.section.append(
      element("p", { class: "lead" }, `${about.network} is a SpikeGPT with ${about.layers} blocks of ${about.width} channels.${about.shipped ? " It has read old English novels: it knows words and the rhythm of sentences, but no facts." : ""}`),
      this.problem,
      field("Text to continue", this.prompt),
      element("div", { class: "row" }, this.temperature.field, this.count.field, field("Seed", this.seed)),
      element("div", { class: "row" }, this.start, this.stop, this.again),
      this.status,
      this.output,
      element("h2", {}, "Roll back and fork"),
      element("p", {}, `The whole memory of a text is ${about.memory_bytes.toLocaleString("en")} bytes, so it is saved on the way, and any place of the text can be taken up again: with another seed it goes on differently, with the same seed as before.`),
      element("div", { class: "row" }, this.place.field, this.back, this.fork, field("Branch", this.branches)),
      element("h2", {}, "What it costs"),
      this.figures,
      element("p", { class: "small" }, `By the energy model of dendrix.energy, ${about.mac_pj} pJ for a multiplication with an addition and ${about.ac_pj} pJ for an addition (32 bits, 45 nm), for matrix products alone. It counts every input of a product whose inputs are numbers, and every spike of one whose inputs are spikes.`),
      element("div", { class: "columns" }, this.state.node, element("div", {}, this.active.node, this.details)),
    );
    this.prompt.parentElement.classList.add("wide");
  }

  ask(act, more = {}) {
    this.problem.hidden = true;
    worker.postMessage({ act, ...more });
  }

  write() {
    const seed = this.seed.value.trim();
    if (!/^\d{1,20}$/.test(seed) || BigInt(seed) >= 2n ** 63n) {
      this.receive({ error: `Seed: expected a whole number from 0 to 9223372036854775807, got ${seed || "nothing"}.` });
      return;
    }
    this.wanted = { count: this.count.input.valueAsNumber, temperature: this.temperature.input.valueAsNumber, seed };
    const text = this.prompt.value;
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MOST) {
      this.receive({ error: `Text: expected at most ${MOST.toLocaleString("en")} bytes at a time, got ${bytes.length.toLocaleString("en")}. Read it in parts.` });
      return;
    }
    this.foreign = this.about.shipped && FOREIGN.test(text);
    this.prompt.value = "";
    if (bytes.length) {
      this.after = () => this.ask("write", this.wanted);
      this.ask("read", { bytes });
    } else {
      this.ask("write", this.wanted);
    }
  }

  receive(data) {
    if (data.error) {
      this.problem.textContent = data.error;
      this.problem.hidden = false;
      this.busy(false);
      return;
    }
    this.data = data;
    const { bytes } = data;
    this.places = [...bytes.keys()].filter((i) => (bytes[i] & 0xc0) !== 0x80).concat(bytes.length);
    this.place.input.max = this.places.length - 1;
    this.place.input.value = this.places.length - 1;
    if (data.branches.length !== this.branches.length || data.branch !== this.branches.selectedIndex) {
      this.branches.replaceChildren(
        ...data.branches.map(({ from }, i) => element("option", {}, from ? `${i + 1}, from byte ${from.place} of ${from.branch + 1}` : String(i + 1))),
      );
      this.branches.selectedIndex = data.branch;
    }
    this.busy(data.busy);
    if (data.task === "read" && data.done && this.after) {
      const { after } = this;
      this.after = null;
      after();
    }
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.draw();
    });
  }

  busy(busy) {
    this.stop.disabled = !busy;
    this.start.disabled = busy;
  }

  get bytePlace() {
    return this.places[this.place.input.valueAsNumber];
  }

  placeName(i) {
    return this.places && i === this.places.length - 1 ? "the end" : `character ${i}`;
  }

  draw() {
    const { data, about } = this;
    if (!data) return;
    this.place.told();
    const place = this.bytePlace;
    const end = place === data.bytes.length;
    this.back.disabled = end || data.busy;
    this.fork.disabled = data.busy || !data.bytes.length;
    this.output.replaceChildren(...spans(data, place));
    if (data.busy) this.output.scrollTop = this.output.scrollHeight;
    const written = data.written.reduce((sum, one) => sum + one, 0);
    const speed = data.speed ? ` ${Math.round(data.speed).toLocaleString("en")} bytes per second.` : "";
    const script = this.foreign ? " Your text has letters beyond the Latin ones; the network reads their bytes, but has seen hardly any, so expect nonsense." : "";
    this.status.textContent = data.bytes.length
      ? `${data.busy ? "Writing" : "Ready"}: ${data.bytes.length.toLocaleString("en")} bytes, of which ${written.toLocaleString("en")} were written by the network.${speed}${script}`
      : "An empty text.";
    Object.assign(this.section.dataset, { bytes: data.bytes.length, busy: data.busy, speed: Math.round(data.speed ?? 0), task: data.task ?? "" });
    this.drawFacts();
    this.drawState();
    this.drawActive();
    if (!data.busy) this.details.replaceChildren(this.details.firstChild, table("Active inputs of each matrix product", ["product", "inputs", "outputs", "active, %"], this.shares().map((share, i) => [about.products[i].name, about.products[i].inputs, about.products[i].outputs, +(100 * share).toFixed(1)])));
  }

  shares() {
    const { inputs, bytes } = this.data.counted;
    return this.about.products.map(({ inputs: width }, i) => (bytes ? inputs[i] / bytes / width : 0));
  }

  drawFacts() {
    const { about, data } = this;
    const { counted } = data;
    const some = counted.bytes > 0;
    const micro = (value) => `${(value / 1000).toFixed(3)} µJ`;
    const spikes = counted.spikes / (counted.bytes * about.neurons);
    const found = {
      "Energy of a byte, as counted": some ? micro(nanojoules(about, counted)) : "–",
      "If zeros were skipped everywhere": some ? micro(nanojoulesSparse(about, counted)) : "–",
      "Neurons that spike, per byte": some && about.neurons ? `${(100 * spikes).toFixed(1)} %` : "–",
      "Saved states": `${Math.round(data.saved / 1000).toLocaleString("en")} kB`,
    };
    if (some) this.section.dataset.nanojoules = nanojoules(about, counted);
    this.figures.replaceChildren(...Object.entries(found).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  }

  rows(context, width, names, paintRow) {
    const left = Math.min(LABELS, width / 2);
    context.textBaseline = "middle";
    names.forEach((name, i) => {
      context.fillStyle = colour("quiet");
      context.fillText(name, 0, i * ROW + ROW / 2, left - 8);
      paintRow(i, left, i * ROW, width - left);
    });
  }

  drawState() {
    const { about, data } = this;
    const names = about.state.map(({ name }) => name.replace("Block ", "").replace(" mix", ""));
    about.state.forEach(({ at, size }, i) => {
      for (let k = at; k < at + size; k++) if (data.state[k] > -1e9) this.top[i] = Math.max(this.top[i], Math.abs(data.state[k]));
    });
    this.state.show((context, width) => {
      this.rows(context, width, names, (i, x, y, space) => {
        const { at, size } = about.state[i];
        const values = data.state.subarray(at, at + size).map((value) => (value > -1e9 ? value : 0));
        paste(context, mapped(values, size, 1, this.top[i]), x, y + 1, space, ROW - 2);
      });
    }, `${about.state.length} parts with ${data.state.length.toLocaleString("en")} numbers, after ${data.bytes.length} bytes.`);
  }

  drawActive() {
    const { about } = this;
    const shares = this.shares();
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    this.active.show((context, width) => {
      const names = about.products.map(({ name }) => name.replace("Block ", "").replace(" mix", ""));
      this.rows(context, width, names, (i, x, y, space) => {
        context.fillStyle = colour("grid");
        context.fillRect(x, y + 3, space, ROW - 6);
        context.fillStyle = colour("c2");
        context.fillRect(x, y + 3, space * shares[i], ROW - 6);
      });
    }, `${(100 * mean).toFixed(0)} % of the inputs are active in the mean of the products; the table below has each.`);
  }
}

/** The text as spans: the visitor’s, the network’s, and what follows the chosen place. */
function spans({ bytes, written }, place) {
  const found = [];
  for (let start = 0; start < bytes.length; ) {
    let end = start;
    const limit = start < place ? place : bytes.length;
    while (end < limit && written[end] === written[start]) end++;
    const text = new TextDecoder().decode(bytes.subarray(start, end), { stream: end === bytes.length });
    found.push(element("span", { class: `${written[start] ? "written" : "read"}${start >= place ? " after" : ""}` }, text));
    start = end;
  }
  return found.length ? found : [element("span", { class: "after" }, "The text will stand here.")];
}
