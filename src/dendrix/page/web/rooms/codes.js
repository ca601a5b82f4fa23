// Theory of sparse codes: error rates of a segment, unions, the window of thresholds, and simulation beside them.
import { element, field, reducedMotion, slider, table } from "../lib/html.js";
import { engineOf } from "../lib/files.js";
import { Codes, Simulation, window as windowOf } from "../lib/codes.js";
import { Figure, colour, lines, xAt } from "../lib/plot.js";

const SLICE_MS = 12; // of simulation, between frames
const DRAWS = 100_000; // after which the simulation rests
const TARGETS = [1e-2, 1e-3, 1e-4, 1e-6, 1e-9, 1e-12];
const MOST_UNION = 200;
const FLOOR = -40; // log10 at which figures end

export async function open(section) {
  new Room(section, new Codes(await engineOf("engines/codes.wasm")));
}

const log10 = (log) => log / Math.LN10;

/** A probability from its natural logarithm, in words. */
function spoken(log) {
  if (log === -Infinity) return "never";
  if (log > Math.log(0.01)) return `${(100 * Math.exp(log)).toPrecision(3)} %`;
  const power = Math.floor(log10(log));
  const digits = (10 ** (log10(log) - power)).toFixed(2);
  return `${digits} × 10${String(power).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;
}

class Room {
  constructor(section, codes) {
    Object.assign(this, { section, codes, seed: 1 });
    this.build();
    this.update();
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.visible = isIntersecting;
      if (isIntersecting) this.simulate();
    }).observe(this.curves.node);
  }

  build() {
    const change = () => this.update();
    const make = (label, options) => slider(label, { change, ...options });
    this.n = make("Cells n", { min: 6, max: 17, value: 11, text: (value) => (2 ** value).toLocaleString("en") });
    this.a = make("Active cells a", { min: 1, max: 512, value: 40 });
    this.s = make("Synapses s", { min: 1, max: 40, value: 20 });
    this.theta = make("Threshold θ", { min: 1, max: 20, value: 11 });
    this.v = make("Cells moved by noise v", { min: 0, max: 40, value: 10 });
    this.m = make("Patterns on the segment m", { min: 1, max: MOST_UNION, value: 1 });
    const targets = (value) => {
      const input = element("select", { onchange: change }, ...TARGETS.map((target) => element("option", { value: target }, String(target))));
      input.value = String(value);
      return input;
    };
    this.positives = targets(1e-9);
    this.negatives = targets(1e-3);
    this.facts = element("dl", { class: "facts" });
    this.verdict = element("p", { class: "note", "aria-live": "polite" });
    this.curves = new Figure("Error rates by threshold", {
      height: 300,
      caption: "Lines are exact, dots are simulated. The shaded band holds the thresholds that keep both targets. Choose a threshold by clicking on the figure, or with its slider.",
    });
    this.curves.canvas.addEventListener("click", (event) => {
      this.theta.input.value = Math.round(xAt(this.curves, event));
      this.theta.told();
      this.update();
    });
    this.unions = new Figure("False matches by the number of patterns on one segment", { height: 260, caption: "Each pattern adds s synapses to the segment. The dashed line is the target." });
    this.segment = new Figure("One draw", { height: 300 });
    this.another = element("button", { type: "button", onclick: () => this.drawOne() }, "Draw another");
    this.drawn = element("p", { class: "small" });
    this.status = element("p", { class: "small" });
    this.formulas = element("div", {});
    this.values = element("details", {}, element("summary", {}, "The curves as a table"));
    this.section.append(
      element("p", { class: "lead" }, "A segment of a dendrite recognises a pattern of active cells if at least θ of its s synapses lie on active cells. How often is it wrong? Exact answers, after Ahmad and Hawkins (2016)."),
      element("div", { class: "controls" }, this.n.field, this.a.field, this.s.field, this.theta.field, this.v.field, this.m.field),
      this.facts,
      element("div", { class: "row" }, field("False matches: at most", this.positives), field("Misses: at most", this.negatives)),
      this.verdict,
      element("div", { class: "columns" }, element("div", {}, this.curves.node, this.status, this.values), element("div", {}, this.segment.node, this.drawn, this.another)),
      element("h2", {}, "Several patterns on one segment"),
      this.unions.node,
      element("h2", {}, "Formulas and commands"),
      this.formulas,
    );
  }

  /** Keep a slider within what the others allow. */
  limit(control, most) {
    if (Number(control.input.max) === most) return;
    control.input.max = most;
    control.told();
  }

  update() {
    const n = 2 ** this.n.input.valueAsNumber;
    this.limit(this.a, Math.min(n / 2, 512));
    const a = this.a.input.valueAsNumber;
    this.limit(this.s, Math.min(a, 256));
    const s = this.s.input.valueAsNumber;
    this.limit(this.theta, s);
    this.limit(this.v, a);
    const [theta, v, m] = [this.theta, this.v, this.m].map(({ input }) => input.valueAsNumber);
    this.given = { n, a, s, theta, v, m };
    const { codes } = this;
    this.rates = {
      positive: codes.falsePositive(n, a, s),
      negative: codes.falseNegative(a, s, v),
      union: codes.unionFalsePositive(n, a, s, Math.max(m, MOST_UNION), theta).byPatterns,
      unionPositive: codes.unionFalsePositive(n, a, s, m, theta).rates,
      unionNegative: codes.unionFalseNegative(n, a, s, v, m),
    };
    this.shown = m === 1 ? [this.rates.positive, this.rates.negative] : [this.rates.unionPositive, this.rates.unionNegative];
    this.window = windowOf(...this.shown, s, Number(this.positives.value), Number(this.negatives.value));
    this.simulation = new Simulation(n, a, s, v, m, this.seed);
    this.drawOne();
    this.tell();
    this.drawUnions();
    this.simulate();
  }

  tell() {
    const { n, a, s, theta, v, m } = this.given;
    const [positive, negative] = this.shown;
    const { low, high } = this.window;
    const found = {
      Sparsity: `${((100 * a) / n).toPrecision(3)} %`,
      "False match": spoken(positive[theta]),
      [`Miss with ${v} cells moved`]: spoken(negative[theta]),
      "Noise that never matters": theta <= s ? `${Math.min(s - theta, a, n - a)} cells` : "none",
    };
    this.facts.replaceChildren(...Object.entries(found).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
    const targets = `false matches at most ${this.positives.value} and misses at most ${this.negatives.value}`;
    this.verdict.textContent =
      low > high
        ? `No threshold keeps ${targets}: ${low === Infinity ? "false matches are too many at every threshold" : `false matches need θ of at least ${low}, misses ${high ? `θ of at most ${high}` : "are too many at every threshold"}`}. More synapses, more cells or less noise would help.`
        : `Thresholds from ${low} to ${high} keep ${targets}. ${theta >= low && theta <= high ? `θ = ${theta} is one of them.` : `θ = ${theta} is not.`}`;
    this.drawFormulas({ n, a, s, theta, v, m });
  }

  drawFormulas({ n, a, s, theta, v, m }) {
    const { positive, negative, unionPositive, unionNegative } = this.rates;
    const patterns = m === 1 ? "one pattern" : `${m} patterns`;
    const rows = [
      ["False match of one segment, equation 4", "Σ C(s, b) C(n − s, a − b) / C(n, a), b from θ to min(a, s)", positive[theta], `dendrix sdr fp --n ${n} --a ${a} --s ${s} --theta ${theta}`],
      ["Miss of one segment, equation 6", "Σ C(s, b) C(a − s, v − b) / C(a, v), b from s − θ + 1 to s", negative[theta], `dendrix sdr fn --a ${a} --s ${s} --v ${v} --theta ${theta}`],
      [`False match with ${patterns}`, "covering chain: with k of a cells covered, a pattern covers Hypergeom(n, a − k, s) more", unionPositive[theta], `dendrix sdr union --n ${n} --a ${a} --s ${s} --theta ${theta} --m ${m}`],
      [`Miss with ${patterns}`, "the same chain, from the cells that noise has left", unionNegative[theta], `dendrix sdr union --n ${n} --a ${a} --s ${s} --theta ${theta} --m ${m} --v ${v}`],
    ];
    const head = ["rate", "formula", "log10", "command"].map((name) => element("th", { scope: "col" }, name));
    this.formulas.replaceChildren(
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Formulas and commands" },
        element("table", { class: "formulas" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map(([name, formula, log, command]) =>
          element("tr", { "data-log10": log10(log), "data-command": command },
            element("td", {}, name), element("td", {}, formula), element("td", { class: "number" }, log === -Infinity ? "−∞" : log10(log).toFixed(6)), element("td", {}, element("code", {}, command))))))),
      element("p", { class: "small" }, "The figures: ", element("code", {}, `dendrix sdr plot --n ${n} --a ${a} --s ${s} --v ${v}`), ". A check by simulation: ", element("code", {}, `dendrix sdr verify --n ${n} --a ${a} --s ${s} --theta ${theta} --v ${v}`), "."),
    );
  }

  drawCurves() {
    const { s, theta, m } = this.given;
    const [positive, negative] = this.shown;
    const { simulation } = this;
    const x = Array.from({ length: Math.min(s, positive.length - 1) }, (_, i) => i + 1);
    const y = (rates) => x.map((k) => log10(rates[k]));
    const dots = (counts, misses) => x.map((k) => {
      let sum = 0;
      for (let b = misses ? 0 : k; b < (misses ? k : counts.length); b++) sum += counts[b];
      return sum ? Math.log10(sum / simulation.draws) : NaN;
    });
    const low = Math.max(FLOOR, Math.min(-4, ...[...y(positive), ...y(negative)].filter(Number.isFinite)));
    const { low: from, high: to } = this.window;
    lines(this.curves, {
      series: [
        { name: `false match${m > 1 ? `, ${m} patterns` : ""}`, colour: "c2", x, y: y(positive) },
        { name: "miss", colour: "c1", x, y: y(negative), dash: [7, 4] },
        { colour: "c2", x, y: dots(simulation.random_overlaps, false), points: true, width: 0.01 },
        { colour: "c1", x, y: dots(simulation.stored_overlaps, true), points: true, width: 0.01 },
      ],
      x: [1, Math.max(s, 2)], y: [low, 0], xLabel: "threshold θ", yLabel: "log10 of the rate", band: from <= to ? [from, to] : undefined,
      marks: [{ x: theta, name: `θ = ${theta}`, colour: "c5" }],
      text: `At θ = ${theta}: false match ${spoken(positive[theta])}, miss ${spoken(negative[theta])}. ${this.verdict.textContent}`,
    });
    this.status.textContent = `Draws simulated: ${simulation.draws.toLocaleString("en")}.`;
  }

  drawTable() {
    const { s } = this.given;
    const [positive, negative] = this.shown;
    const number = (log) => (log === -Infinity ? "never" : Math.exp(log) ? Math.exp(log).toExponential(3) : `10^${log10(log).toFixed(2)}`);
    const rows = Array.from({ length: Math.min(s, positive.length - 1) }, (_, i) => [i + 1, number(positive[i + 1]), number(negative[i + 1])]);
    this.values.replaceChildren(this.values.firstChild, table("Error rates by threshold", ["θ", "false match", "miss"], rows));
  }

  drawUnions() {
    const { theta, m } = this.given;
    const x = Array.from({ length: MOST_UNION }, (_, i) => i + 1);
    const y = x.map((k) => log10(this.rates.union[k]));
    const target = Number(this.positives.value);
    const fits = x.findLast((k) => this.rates.union[k] <= Math.log(target)) ?? 0;
    lines(this.unions, {
      series: [
        { name: `θ = ${theta}`, colour: "c2", x, y },
        { name: "target", colour: "c0", x: [1, MOST_UNION], y: [Math.log10(target), Math.log10(target)], dash: [6, 4], width: 1.5 },
      ],
      x: [1, MOST_UNION], y: [Math.max(FLOOR, Math.min(-1, ...y.filter(Number.isFinite))), 0], xLabel: "patterns m", yLabel: "log10 of the rate",
      marks: [{ x: m, name: `m = ${m}` }],
      text: fits === MOST_UNION ? `More than ${fits} patterns fit before false matches exceed ${target}.` : `${fits} patterns fit before false matches exceed ${target}.`,
    });
    this.drawTable();
  }

  /** Draw in slices, while the figure is visible. */
  simulate() {
    const { simulation } = this;
    this.drawCurves();
    if (this.running === simulation) return;
    this.running = simulation;
    let shown = 0;
    const go = () => {
      if (this.simulation !== simulation) return;
      if (!this.visible) {
        this.running = null;
        return;
      }
      const started = performance.now();
      while (performance.now() - started < SLICE_MS && simulation.draws < DRAWS) simulation.draw();
      const over = simulation.draws >= DRAWS;
      if (over || started - shown > (reducedMotion() ? 1500 : 250)) {
        shown = started;
        this.drawCurves();
      }
      if (!over) requestAnimationFrame(go);
    };
    requestAnimationFrame(go);
  }

  /** Show one draw: cells in a square, the active ones, and the synapses of the segment that stores the pattern. */
  drawOne() {
    const { n, theta, v } = this.given;
    const { active, stored } = this.simulation.draw();
    const side = Math.ceil(Math.sqrt(n));
    const isActive = new Set(active);
    const matches = stored.overlap >= theta;
    const text = `The pattern with ${v} cells moved: ${stored.overlap} of ${stored.synapses.length} synapses lie on active cells, ${matches ? "a match" : "a miss"} at θ = ${theta}.`;
    this.segment.show((context, width, height) => {
      const size = Math.min(width, height);
      const cell = size / side;
      const at = (index) => [(index % side) * cell, Math.floor(index / side) * cell];
      context.fillStyle = colour("panel");
      context.fillRect(0, 0, size, size);
      const least = Math.max(cell, 2.5);
      const paint = (index, name, scale) => {
        const [x, y] = at(index);
        const extent = least * scale;
        context.fillStyle = colour(name);
        context.fillRect(x + (cell - extent) / 2, y + (cell - extent) / 2, extent, extent);
      };
      for (const index of active) paint(index, "c0", 1);
      for (const index of stored.synapses) paint(index, isActive.has(index) ? "c2" : "c1", isActive.has(index) ? 1.4 : 1);
    }, text);
    this.segment.key.replaceChildren(...[["c0", "active cell"], ["c2", "active cell with a synapse"], ["c1", "synapse on a silent cell"]].map(([name, label]) => {
      const swatch = element("canvas", { width: 12, height: 12, class: "swatch square", "aria-hidden": "true" });
      const context = swatch.getContext("2d");
      context.fillStyle = colour(name);
      context.fillRect(0, 0, 12, 12);
      return element("span", { class: "key" }, swatch, label);
    }));
    this.drawn.textContent = text;
  }
}
