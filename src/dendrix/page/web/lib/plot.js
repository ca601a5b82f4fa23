// Figures on canvas: lines over a common axis, and maps of numbers. Each has a text alternative, and redraws itself when its size or the
// colour scheme changes.
import { element } from "./html.js";

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MARGIN = { left: 52, right: 14, top: 10, bottom: 38 };
const figures = new Set();

/** A colour of style.css by name, such as "c2", "ink" or "grid". */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const figure of figures) figure.redraw();
});

/** A figure: `node` is its element. `draw(context, width, height)` paints it in CSS pixels. */
export class Figure {
  /**
   * @param {string} title shown above
   * @param {{height?: number, caption?: string}} options height in CSS pixels
   */
  constructor(title, { height = 220, caption } = {}) {
    this.height = height;
    this.canvas = element("canvas", { role: "img" });
    this.canvas.style.height = `${height}px`;
    this.key = element("p", { class: "small" });
    this.node = element("figure", {}, element("p", { class: "title" }, title), this.canvas, this.key, caption && element("figcaption", {}, caption));
    this.title = title;
    this.paint = () => {};
    figures.add(this);
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  /** Set what is painted, and the sentence that says the same. */
  show(paint, text) {
    this.paint = paint;
    this.canvas.setAttribute("aria-label", `${this.title}. ${text}`);
    this.redraw();
  }

  setHeight(height) {
    if (height === this.height) return;
    this.height = height;
    this.canvas.style.height = `${height}px`;
  }

  redraw() {
    const width = this.canvas.clientWidth;
    if (!width) return; // not visible: the observer calls again
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(this.height * scale);
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, this.height);
    context.font = FONT;
    this.paint(context, width, this.height);
  }

  /** Names of the lines, in their colours and dashes, below the figure. */
  legend(series) {
    this.key.replaceChildren(
      ...series.filter(({ name }) => name).map((line) => {
        const swatch = element("canvas", { width: 26, height: 10, "aria-hidden": "true", class: "swatch" });
        const context = swatch.getContext("2d");
        context.strokeStyle = colour(line.colour);
        context.lineWidth = 3;
        context.setLineDash(line.dash ?? []);
        context.beginPath();
        context.moveTo(1, 5);
        context.lineTo(25, 5);
        context.stroke();
        return element("span", { class: "key" }, swatch, line.name);
      }),
    );
  }
}

/** Round numbers for ticks between two values. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return found;
}

const shortNumber = (value) => (Math.abs(value) >= 1000 || Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(3)));

/**
 * Lines.
 * @param {Figure} figure
 * @param {object} data series: [{ name, colour, x, y, dash, width, points }], where a y that is not finite leaves a gap; xLabel, yLabel; x and y:
 *   [low, high]; yText: a tick as text; marks: [{ x, name, colour }], vertical lines; band: [low, high] of x, shaded; text: the sentence
 */
export function lines(figure, { series, xLabel, yLabel, x, y, yText = shortNumber, xText = shortNumber, marks = [], band, text }) {
  const all = (axis) => series.flatMap((line) => [...line[axis]].filter(Number.isFinite));
  const range = (given, values) => given ?? [Math.min(...values), Math.max(...values)];
  const [x0, x1] = range(x, all("x"));
  const [y0, y1] = range(y, all("y"));
  figure.legend(series);
  figure.show((context, width, height) => {
    const right = width - MARGIN.right;
    const bottom = height - MARGIN.bottom;
    const px = (value) => MARGIN.left + ((value - x0) / (x1 - x0 || 1)) * (right - MARGIN.left);
    const py = (value) => bottom - ((value - y0) / (y1 - y0 || 1)) * (bottom - MARGIN.top);
    if (band) {
      context.fillStyle = colour("panel");
      context.fillRect(px(band[0]), MARGIN.top, Math.max(px(band[1]) - px(band[0]), 2), bottom - MARGIN.top);
    }
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const value of ticks(y0, y1, Math.max(2, Math.floor((bottom - MARGIN.top) / 40)))) {
      context.strokeStyle = colour("grid");
      stroke(context, [[MARGIN.left, py(value)], [right, py(value)]]);
      context.fillStyle = colour("quiet");
      context.fillText(yText(value), MARGIN.left - 7, py(value));
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const value of ticks(x0, x1, Math.max(2, Math.floor((right - MARGIN.left) / 70)))) {
      context.fillStyle = colour("quiet");
      context.fillText(xText(value), px(value), bottom + 5);
    }
    context.fillText(xLabel, (MARGIN.left + right) / 2, bottom + 21);
    context.strokeStyle = colour("field");
    stroke(context, [[MARGIN.left, bottom], [right, bottom]]);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left - 4, MARGIN.top - 6, right - MARGIN.left + 8, bottom - MARGIN.top + 10);
    context.clip();
    for (const line of series) {
      context.strokeStyle = context.fillStyle = colour(line.colour);
      context.lineWidth = line.width ?? 2;
      context.setLineDash(line.dash ?? []);
      let part = [];
      for (let i = 0; i <= line.x.length; i++) {
        if (i < line.x.length && Number.isFinite(line.y[i])) part.push([px(line.x[i]), py(line.y[i])]);
        else if (part.length) {
          stroke(context, part);
          if (part.length === 1) dot(context, part[0]);
          part = [];
        }
      }
      context.setLineDash([]);
      if (line.points) line.x.forEach((value, i) => Number.isFinite(line.y[i]) && dot(context, [px(value), py(line.y[i])]));
    }
    for (const mark of marks) {
      context.strokeStyle = colour(mark.colour ?? "c5");
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      stroke(context, [[px(mark.x), MARGIN.top], [px(mark.x), bottom]]);
      context.setLineDash([]);
    }
    context.restore();
    context.textBaseline = "top";
    for (const mark of marks) {
      if (!mark.name) continue;
      const after = px(mark.x) < width * 0.7;
      context.textAlign = after ? "left" : "right";
      context.fillStyle = colour(mark.colour ?? "c5");
      context.fillText(mark.name, px(mark.x) + (after ? 5 : -5), MARGIN.top);
    }
    if (yLabel) {
      context.save();
      context.translate(11, (MARGIN.top + bottom) / 2);
      context.rotate(-Math.PI / 2);
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillStyle = colour("quiet");
      context.fillText(yLabel, 0, 0);
      context.restore();
    }
  }, text);
  figure.scale = { x0, x1, from: MARGIN.left, to: MARGIN.right };
}

function stroke(context, points) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function dot(context, [x, y]) {
  context.beginPath();
  context.arc(x, y, 3, 0, 2 * Math.PI);
  context.fill();
}

/** The x of a pointer on a figure of `lines`. */
export function xAt(figure, event) {
  const box = figure.canvas.getBoundingClientRect();
  const { x0, x1, from, to } = figure.scale;
  const share = (event.clientX - box.left - from) / (box.width - from - to);
  return x0 + Math.min(Math.max(share, 0), 1) * (x1 - x0);
}

/** Parts of red, green and blue of a colour such as #2166ac. */
function parts(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/**
 * Paint numbers as a picture of one pixel each, which the caller scales: from the colour `low` at 0 to `high` at `top`, and to `below` at -top.
 * @returns {ImageData}
 */
export function mapped(values, columns, rows, top, { low = "low", high = "high", below = "below" } = {}) {
  const image = new ImageData(columns, rows);
  const [from, up, down] = [low, high, below].map((name) => parts(colour(name)));
  for (let i = 0; i < columns * rows; i++) {
    const share = Math.min(Math.max(values[i] / (top || 1), -1), 1);
    const to = share < 0 ? down : up;
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = from[k] + (to[k] - from[k]) * Math.abs(share);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** Paint an image without smoothing into a rectangle. */
export function paste(context, image, x, y, width, height) {
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, x, y, width, height);
}
