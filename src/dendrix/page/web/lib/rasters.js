// Pictures of sound and spikes over time: frames of a front end, spikes of layers, and delays.
import { colour, mapped, paste, ticks } from "./plot.js";

const LEFT = 52;
const RIGHT = 14;
const BOTTOM = 38;

/** The axis of time below a picture, in seconds. */
function axis(context, width, height, from, to, label) {
  const bottom = height - BOTTOM;
  context.fillStyle = colour("quiet");
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const value of ticks(from, to, Math.max(2, Math.floor((width - LEFT - RIGHT) / 70)))) {
    context.fillText(String(+value.toFixed(2)), LEFT + ((value - from) / (to - from || 1)) * (width - LEFT - RIGHT), bottom + 5);
  }
  context.fillText(label, (LEFT + width - RIGHT) / 2, bottom + 21);
}

/**
 * A picture of columns over time: `value(step, row)` is painted from 0 to `top`, rows from below.
 * @param {import("./plot.js").Figure} figure
 * @param {object} data { steps, rows, top, value, dtS, marks: [{ x, name }] in seconds, text }
 */
export function columns(figure, { steps, rows, top, value, dtS, marks = [], text }) {
  figure.show((context, width, height) => {
    const first = steps[0]?.step - 1 || 0;
    const last = Math.max(steps.at(-1)?.step ?? 1, first + 1);
    const values = new Float32Array(rows * Math.max(last - first, 1));
    steps.forEach((step, t) => {
      for (let row = 0; row < rows; row++) values[(rows - 1 - row) * (last - first) + t] = value(step, row);
    });
    if (steps.length) paste(context, mapped(values, last - first, rows, top), LEFT, 0, width - LEFT - RIGHT, height - BOTTOM);
    axis(context, width, height, first * dtS, last * dtS, "time, s");
    context.strokeStyle = context.fillStyle = colour("c5");
    context.setLineDash([5, 4]);
    for (const { x } of marks) {
      const at = LEFT + ((x - first * dtS) / ((last - first) * dtS)) * (width - LEFT - RIGHT);
      if (at < LEFT || at > width - RIGHT) continue;
      context.beginPath();
      context.moveTo(at, 0);
      context.lineTo(at, height - BOTTOM);
      context.stroke();
    }
    context.setLineDash([]);
  }, text);
}

/** Delays of a layer as a map: inputs downwards, neurons to the right. */
export function delayMap(figure, { delays, inputs, outputs, taps, dtMs }) {
  // One delay for each input is a row of its own, however many neurons it reaches.
  const same = delays.every((delay, k) => delay === delays[k - (k % outputs)]);
  const [across, down] = same ? [inputs, 1] : [outputs, inputs];
  const values = same ? Float32Array.from({ length: inputs }, (_, i) => delays[i * outputs]) : Float32Array.from(delays);
  const longest = (taps - 1) * dtMs;
  const mean = (values.reduce((sum, value) => sum + value, 0) / values.length) * dtMs;
  figure.show(
    (context, width, height) => {
      paste(context, mapped(values, across, down, taps - 1), 0, 0, width, height);
    },
    `${same ? `${inputs} delays, one for each input` : `${inputs} by ${outputs} delays, one for each synapse`}: 0 to ${longest} ms, ${mean.toFixed(0)} ms in the mean.`,
  );
  return `${same ? `One delay for each of ${inputs} inputs` : `${inputs} inputs downwards, ${outputs} neurons to the right`}: 0 (pale) to ${longest} ms (strong), ${mean.toFixed(0)} ms in the mean.`;
}
