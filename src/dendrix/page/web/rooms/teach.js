// Words taught by example: their sparse codes, thresholds from a background, decisions; kept in this browser.
import { element, field, table } from "../lib/html.js";
import { bytesOf, engineOf, jsonOf } from "../lib/files.js";
import { Figure, lines, mapped } from "../lib/plot.js";
import { fault, listen, samplesOfFile, whole } from "../lib/sound.js";
import { record } from "../lib/recorder.js";
import { vocabularyFile, wordsOf } from "../lib/vocabulary_file.js";
import { Words, overlap } from "../engines/words.mjs";

const CLIPS = 3; // clips of a word that are asked for
const AGREEMENT = 0.9; // share of pairs of other words' clips that two clips of a word must exceed
const EVENTS = 12; // words of a stream that are listed
const TESTED = 480_000; // samples of a stream that are kept for tests
const PAIRS = 150; // clips of the background that are compared with each other

export async function open(section) {
  const [{ networks }, engine] = await Promise.all([jsonOf("models/teach.json"), engineOf("engines/words.wasm")]);
  const room = new Room(section, networks, engine);
  await room.load(networks[0]);
}

class Room {
  constructor(section, networks, engine) {
    Object.assign(this, { section, networks, engine, clips: [] });
    this.build();
    addEventListener("hashchange", () => location.hash !== "#teach" && this.silence()); // the microphone is off in other rooms
    addEventListener("storage", ({ key }) => {
      if (key !== this.key) return;
      this.restore();
      this.show();
      this.say("The words were changed in another tab, and are the same here now.");
    });
  }

  build() {
    this.which = element("select", { onchange: () => this.load(this.networks[this.which.selectedIndex]) },
      ...this.networks.map(({ network, title }) => element("option", { value: network }, title ? `${network}: ${title}` : network)));
    this.background = element("p", { class: "small" });
    this.name = element("input", { type: "text", maxlength: 100, autocomplete: "off" });
    this.rate = element("select", {});
    this.recordButton = element("button", { type: "button", class: "main", onclick: () => this.record(this.recordButton, (samples, name) => this.add(samples, name)) }, "Say it");
    this.files = element("input", { type: "file", multiple: true, accept: "audio/*", onchange: () => this.read(this.files, (samples, name) => this.add(samples, name)) });
    this.choices = element("fieldset", { class: "choices" });
    this.status = element("p", { role: "status", class: "small" });
    this.list = element("ol", { class: "codes" });
    this.agreement = element("p", {});
    this.teachButton = element("button", { type: "button", class: "main", onclick: () => this.teach() }, "Teach");
    this.words = element("div", {});
    this.report = element("div", {});
    this.histogram = new Figure("Overlaps of the background with the word", { height: 200, caption: "The background are clips of other words by other speakers. Clips to the right of the threshold are false alarms." });
    this.histogram.node.hidden = true;
    this.hearButton = element("button", { type: "button", class: "main", onclick: () => this.record(this.hearButton, (samples) => this.hear(samples)) }, "Say a word");
    this.streamButton = element("button", { type: "button", onclick: () => this.stream() }, "Listen all the time");
    this.events = element("ol", { class: "small", reversed: true, "aria-live": "polite" });
    this.hearFile = element("input", { type: "file", accept: "audio/*", onchange: () => this.read(this.hearFile, (samples) => this.hear(samples)) });
    this.probes = element("select", { onchange: () => this.hear(this.samples.get(this.probes.value)) });
    this.answer = element("p", { class: "answer", "aria-live": "polite" });
    this.detail = element("p", {});
    this.scores = element("div", {});
    this.heardCode = element("div", { class: "codes" });
    this.importFile = element("input", { type: "file", accept: ".safetensors", onchange: () => this.import() });
    this.section.append(
      element("p", { class: "lead" }, "A network that is no longer trained learns your word from three recordings: their sparse codes are stored as segments, and a threshold is set for the rate of false alarms that you accept."),
      element("div", { class: "row" }, field("Network", this.which)),
      this.background,
      element("h2", {}, "1. Record a word three times"),
      element("div", { class: "row" }, field("Name of the word", this.name), field("Accepted false alarms", this.rate), this.recordButton),
      this.choices,
      element("div", { class: "row" }, field("Or recordings of yours, one word in each (they stay on this device)", this.files)),
      this.status,
      element("p", { class: "small" }, "The code of a recording: neurons to the right, bins of time downwards. Blue cells fired more than others of their kind, red or orange ones less."),
      this.list,
      this.agreement,
      element("div", { class: "row" }, this.teachButton),
      element("h2", {}, "2. Words that it knows"),
      this.words,
      this.report,
      this.histogram.node,
      element("h2", {}, "3. Say one of them, or another word"),
      element("div", { class: "row" }, this.hearButton, field("Or a recording that comes with dendrix", this.probes), field("Or one of yours", this.hearFile)),
      this.answer, this.detail, this.heardCode, this.scores,
      element("div", { class: "row" }, this.streamButton, element("span", { class: "small" }, "Each word that is set off by pauses is decided when it has ended.")),
      this.events,
      element("h2", {}, "Keep the words"),
      element("p", {}, "They are kept in this browser. As a file they also work on the command line: ", element("code", {}, "dendrix listen words.safetensors -"), "."),
      element("div", { class: "row" }, element("button", { type: "button", onclick: () => this.export() }, "Save as a file"), field("Read a file", this.importFile)),
    );
  }

  say(text) {
    this.status.textContent = text;
  }

  /** Take a network, and the words that were kept for it. */
  async load(about) {
    this.silence();
    this.ear = null;
    this.about = about;
    const [tables, recordings] = await Promise.all([bytesOf(about.tables), bytesOf(about.recordings)]);
    this.engineWords = new Words(this.engine, tables);
    this.key = `dendrix words ${about.backbone}`;
    const whole16 = new Int16Array(recordings.buffer, recordings.byteOffset, recordings.length / 2);
    let at = 0;
    this.samples = new Map(about.samples.map(({ name, length }) => [name, whole16.subarray(at, (at += length))]));
    const names = [...this.samples.keys()];
    this.choices.replaceChildren(element("legend", {}, "Or recordings that come with dendrix"),
      ...names.map((name) => element("button", { type: "button", onclick: () => this.add(this.samples.get(name), name) }, name)));
    this.probes.replaceChildren(...names.map((name) => element("option", {}, name)));
    this.probes.selectedIndex = -1;
    const { rates, background } = this.engineWords.about;
    this.rate.replaceChildren(...rates.map(({ rate }) => element("option", { value: rate }, `${+(100 * rate).toFixed(2)} % of other words`)));
    this.rate.selectedIndex = rates.length - 1;
    this.background.textContent = `Thresholds come from ${background.clips} clips of ${background.names.length} words by the speakers of its training. With another microphone or language expect more false alarms than are predicted.`;
    this.clips = [];
    this.limit = null;
    this.restore();
    this.show();
    this.answer.textContent = this.detail.textContent = "";
    this.scores.replaceChildren();
    this.heardCode.replaceChildren();
  }

  /** Record from the microphone; the button stops it. */
  async record(button, use) {
    if (this.recording) {
      this.recording.stop();
      return;
    }
    const label = button.textContent;
    const words = this.engineWords;
    try {
      this.recording = { stop: () => {} };
      this.recording = await record(this.engineWords.about.rate, (state) => this.say(state === "waiting" ? "Say the word." : "Hearing …"));
      button.textContent = "Stop";
      const samples = await this.recording.samples;
      if (words !== this.engineWords) return; // another network was chosen
      this.say("");
      this.section.samples = samples;
      use(samples, "microphone");
    } catch (error) {
      this.say(error.message);
    } finally {
      this.recording = null;
      button.textContent = label;
    }
  }

  async read(input, use) {
    for (const file of input.files) {
      try {
        const samples = whole(await samplesOfFile(file, this.engineWords.about.rate));
        this.say("");
        this.section.samples = samples;
        use(samples, file.name);
      } catch (error) {
        this.say(error.message);
      }
    }
    input.value = "";
  }

  /** Code of a recording; null, with the reason on the page, if it is not one word. */
  code(samples, name) {
    const wrong = fault(samples);
    if (wrong) {
      this.say(`${name}: ${wrong}`);
      return null;
    }
    try {
      const found = this.engineWords.code(samples);
      const seconds = (frame) => (frame * this.engineWords.about.dt_ms) / 1000;
      if (!found.words && samples.length / this.engineWords.about.rate > 0.7) this.say(`${name}: no speech stands out from the background, so all of it is taken.`);
      if (found.words > 1) this.say(`${name}: ${found.words} words were found, and all are taken as one. Record a single word for better codes.`);
      return { ...found, name, from: seconds(found.onset), to: seconds(found.offset) };
    } catch (error) {
      this.say(`${name}: ${error.message.replace("dendrix: ", "")} At most ${((this.engineWords.about.memory - this.engineWords.about.tail) * this.engineWords.about.dt_ms) / 1000} s.`);
      return null;
    }
  }

  /** Add a clip of the word that is being taught. */
  add(samples, name) {
    this.say("");
    const clip = this.code(samples, name);
    if (clip) this.clips.push(clip);
    this.showClips();
  }

  showClips() {
    this.list.replaceChildren(...this.clips.map((clip, i) => element("li", {},
      this.picture(clip),
      element("span", { class: "small" }, `${clip.name}, speech from ${clip.from.toFixed(2)} to ${clip.to.toFixed(2)} s `),
      element("button", { type: "button", "aria-label": `Remove recording ${i + 1}`, onclick: () => (this.clips.splice(i, 1), this.showClips()) }, "Remove"))));
    this.teachButton.disabled = !this.clips.length;
    this.section.dataset.clips = this.clips.length;
    const left = CLIPS - this.clips.length;
    this.agreement.textContent = this.clips.length > 1 ? this.agreementOf() : left > 0 ? `${this.clips.length} of ${CLIPS} recordings.` : "";
  }

  /** How far the clips agree, in words. */
  agreementOf() {
    const { active } = this.engineWords.about;
    const pairs = this.clips.flatMap((a, i) => this.clips.slice(i + 1).map((b) => overlap(a.bits, b.bits)));
    const text = `Of ${active} active cells, the recordings share ${pairs.join(", ")}; clips of different words share less than ${this.otherOverlap()} in nine of ten cases.`;
    const nearest = this.clips.map((a, i) => Math.max(...this.clips.filter((_, k) => k !== i).map((b) => overlap(a.bits, b.bits))));
    const apart = nearest.findIndex((most) => most <= this.otherOverlap());
    return apart < 0 ? text : `${text} Recording ${apart + 1} is no more like the others than another word is: record it again, or leave it out.`;
  }

  /** The overlap that a tenth of the pairs of clips of different words exceed. */
  otherOverlap() {
    if (this.limit) return this.limit;
    const { engineWords: words } = this;
    const { clips, word } = words.about.background;
    const chosen = Array.from({ length: Math.min(PAIRS, clips) }, (_, i) => Math.floor((i * clips) / Math.min(PAIRS, clips)));
    const codes = chosen.map((k) => words.codesAt(words.backgroundAt + k * words.codeBytes, 1)[0]);
    const found = codes.flatMap((a, i) => codes.slice(0, i).filter((_, k) => word[chosen[k]] !== word[chosen[i]]).map((b) => overlap(a, b)));
    found.sort((a, b) => a - b);
    this.limit = found[Math.floor(AGREEMENT * found.length)];
    return this.limit;
  }

  /** A code as a picture: neurons to the right, bins of time downwards; on cells dark, off cells red. */
  picture({ bits }) {
    const { code_bits: n, bins } = this.engineWords.about;
    const half = n / 2;
    const neurons = half / bins;
    const bit = (i) => (bits[i >> 3] >> (i & 7)) & 1;
    const canvas = element("canvas", { role: "img", width: neurons, height: bins, "aria-label": `Code: ${this.engineWords.about.active} of ${n} cells are active.` });
    canvas.getContext("2d").putImageData(mapped(Float32Array.from({ length: half }, (_, i) => bit(i) - bit(half + i)), neurons, bins, 1), 0, 0);
    return canvas;
  }

  teach() {
    const name = this.name.value.trim();
    try {
      const same = this.engineWords.list.length ? this.engineWords.decide(this.clips[0].bits).name : null;
      this.engineWords.teach(name, this.clips.map(({ bits }) => bits), Number(this.rate.value));
      this.say(`'${name}' was taught with ${this.clips.length} recordings.${same ? ` It sounds like '${same}'.` : ""}`);
      this.clips = [];
      this.name.value = "";
      this.keep();
      this.show();
      this.explain(name);
    } catch (error) {
      this.say(error.message.replace("dendrix: ", ""));
    }
  }

  /** Show clips and words. */
  show() {
    this.showClips();
    const { list } = this.engineWords;
    this.section.dataset.words = JSON.stringify(this.engineWords.names);
    if (!list.length) {
      this.words.replaceChildren(element("p", {}, "None yet."));
      this.report.replaceChildren();
      this.histogram.node.hidden = true;
      return;
    }
    const button = (text, name, act) => element("button", { type: "button", "aria-label": `${text} ${name}`, onclick: () => act(name) }, text);
    this.words.replaceChildren(element("ul", { class: "taught" }, ...list.map(({ name, codes, rate, theta }) => element("li", {},
      element("strong", {}, name),
      element("span", { class: "small" }, ` ${codes.length} recordings, threshold ${theta}, ${+(100 * rate).toFixed(2)} % false alarms asked `),
      button("Explain", name, () => this.explain(name)), " ",
      button("Rename", name, () => this.rename(name)), " ",
      button("Forget", name, () => this.forget(name))))));
  }

  rename(name) {
    const fresh = this.name.value.trim();
    if (!fresh) {
      this.say(`Write the new name of '${name}' into the field above, and press Rename again.`);
      this.name.focus();
      return;
    }
    try {
      this.engineWords.rename(name, fresh);
      this.name.value = "";
      this.keep();
      this.show();
      this.say(`'${name}' is now '${fresh}'.`);
    } catch (error) {
      this.say(error.message.replace("dendrix: ", ""));
    }
  }

  forget(name) {
    this.engineWords.forget(name);
    this.keep();
    this.report.replaceChildren();
    this.histogram.node.hidden = true;
    this.show();
    this.say(`'${name}' was forgotten.`);
  }

  /** Predicted false alarms of a word. */
  explain(name) {
    const word = this.engineWords.word(name);
    const { scores, rate, expected, confusable } = this.engineWords.report(name);
    const percent = (share) => `${+(100 * share).toFixed(1)} %`;
    this.report.replaceChildren(
      element("h3", {}, name),
      element("p", {}, `Asked were ${percent(word.rate)} false alarms among other words. ${expected ? `Expected are ${percent(expected[0])} to ${percent(expected[1])} for words that the background lacks; ` : ""}on the background itself it is ${percent(rate)}.`),
      element("p", {}, confusable.length ? `Most often taken for it: ${confusable.map((one) => `${one.name} (${percent(one.rate)})`).join(", ")}.` : "No word of the background is taken for it."),
    );
    const most = Math.max(...scores, word.theta);
    const counts = new Array(most + 2).fill(0);
    for (const score of scores) counts[score]++;
    this.histogram.node.hidden = false;
    lines(this.histogram, {
      series: [{ colour: "c2", x: [...counts.keys()], y: counts }],
      xLabel: `sum of overlaps with ${word.codes.length} segments`, yLabel: "clips", marks: [{ x: word.theta, name: "threshold" }],
      text: `Scores of ${scores.length} background clips reach from ${Math.min(...scores)} to ${Math.max(...scores)}; the threshold is ${word.theta}.`,
    });
    Object.assign(this.section.dataset, { theta: word.theta, mean: word.mean, deviation: word.deviation });
  }

  /** Decide about a recording. */
  hear(samples) {
    this.say("");
    const found = this.code(samples, "Recording");
    if (!found) return;
    const { list } = this.engineWords;
    this.heardCode.replaceChildren(this.picture(found));
    if (!list.length) {
      this.answer.textContent = "No words yet";
      this.detail.textContent = "Teach one first.";
      return;
    }
    const { name, nearest, score, theta } = this.engineWords.decide(found.bits);
    const scores = this.engineWords.scores(found.bits);
    Object.assign(this.section.dataset, { heard: name ?? "", nearest, score, code: [...found.bits].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
    this.answer.textContent = name ?? "none of these words";
    this.detail.textContent = name ? `'${name}' scores ${score}, its threshold is ${theta}.` : `'${nearest}' is nearest: it scores ${score} of the ${theta} that it needs.`;
    this.scores.replaceChildren(table("Overlap with each segment", ["word", "segments", "score", "threshold"],
      list.map((word, i) => [word.name, word.codes.map((code) => overlap(code, found.bits)).join(" + "), scores[i], word.theta])));
  }

  /** Hear a stream of speech, until the button is pressed again. */
  async stream() {
    if (this.hearing) {
      this.hearing();
      this.quiet();
      return;
    }
    const { rate, dt_ms: dtMs } = this.engineWords.about;
    this.ear ??= this.engineWords.stream((found) => this.note(found, dtMs));
    this.ear.restart();
    this.section.samples = [];
    this.events.replaceChildren();
    this.streamButton.disabled = true;
    try {
      this.hearing = await listen(rate, (wave) => this.take(whole(wave)), (reason) => (this.quiet(), this.say(reason)));
      this.streamButton.textContent = "Stop listening";
      this.say("");
    } catch (error) {
      this.say(error.message);
    }
    this.streamButton.disabled = false;
  }

  /** End what listens to the microphone. */
  silence() {
    this.recording?.stop();
    if (this.hearing) this.stream();
  }

  take(samples) {
    if (!this.hearing) return;
    if (this.section.samples.length < TESTED) this.section.samples.push(...samples);
    this.ear.push(samples);
  }

  quiet() {
    this.hearing = null;
    this.streamButton.textContent = "Listen all the time";
  }

  /** A word of the stream. */
  note(found, dtMs) {
    const { name, nearest, score, theta } = this.engineWords.decide(found.bits);
    const at = `${((found.onset * dtMs) / 1000).toFixed(1)} s`;
    const text = name ?? (nearest ? `another word (nearest: ${nearest}, ${score} of ${theta})` : "a word; none was taught yet");
    const item = element("li", {}, `${at}: `, name ? element("strong", {}, name) : text);
    Object.assign(item.dataset, { onset: found.onset, offset: found.offset, name: name ?? "", score });
    this.events.prepend(item);
    while (this.events.childElementCount > EVENTS) this.events.lastElementChild.remove();
  }

  /** Keep the words in this browser. */
  keep() {
    const file = vocabularyFile(this.engineWords.list, this.about);
    try {
      localStorage.setItem(this.key, btoa(Array.from(file, (byte) => String.fromCharCode(byte)).join("")));
    } catch {
      this.say("This browser keeps nothing for this page (private window, or no room). Save the words as a file.");
    }
  }

  restore() {
    this.engineWords.list = [];
    try {
      const kept = localStorage.getItem(this.key);
      if (kept) this.engineWords.list = wordsOf(Uint8Array.from(atob(kept), (letter) => letter.charCodeAt(0)), this.about, this.engineWords.codeBytes);
    } catch {
      this.say("What this browser kept is damaged, and was left out.");
    }
  }

  export() {
    const file = vocabularyFile(this.engineWords.list, this.about);
    const link = element("a", { href: URL.createObjectURL(new Blob([file])), download: "words.safetensors" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async import() {
    const [file] = this.importFile.files;
    if (!file) return;
    try {
      const read = wordsOf(new Uint8Array(await file.arrayBuffer()), this.about, this.engineWords.codeBytes);
      const twice = read.find(({ name }) => this.engineWords.names.includes(name));
      if (twice) throw new Error(`Expected new names, but '${twice.name}' was taught before. Rename or forget it first.`);
      this.engineWords.list.push(...read);
      this.keep();
      this.show();
      this.say(`${file.name}: ${read.length} words were read.`);
    } catch (error) {
      this.say(`${file.name}: ${error.message}`);
    }
    this.importFile.value = "";
  }
}
