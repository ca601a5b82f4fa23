// An image network, step by step: totals, exit, and the spikes of its layers.

const POINTERS = 3; // before the pointer to the bounds of the exit rule in the structure of a network, see dendrix_image.h

export class ImageRun {
  /**
   * @param {import("../engines/dendrix.mjs").Network} network
   * @param {object} about models/see.json
   */
  constructor(network, about) {
    Object.assign(this, { network, about });
    this.stream = network.stream();
  }

  /**
   * Run all steps of a picture.
   * @param {Uint8Array} pixels [height][width][channels]
   * @param {bigint} bound of the exit rule: the sum of powers is below it when the rule stops
   * @returns the answer at the exit; by step, the totals, the probability of each class, and the spikes of each layer
   */
  run(pixels, bound) {
    const { network, stream, about } = this;
    const { engine, model } = network;
    const memory = () => new DataView(engine.memory.buffer);
    memory().setBigUint64(memory().getUint32(model + 4 * POINTERS, true), bound, true);
    stream.restart();
    stream.push(pixels);
    const [totals, probability, spikes] = [[], [], []];
    let exit;
    for (let step = 1; step <= about.steps; step++) {
      const sure = engine.step(stream.memory) === 1;
      totals.push(stream.totals());
      probability.push(softmax([...totals.at(-1)].map((total) => Number(total) * about.unit)));
      spikes.push(about.layers.map(({ map_at, shape }) => new Int16Array(engine.memory.buffer, stream.memory + map_at, shape[0] * shape[1] * shape[2]).slice()));
      if (!exit && (sure || step === about.steps)) {
        const { index, confidence } = stream.result();
        exit = { step, stopped: sure, index, confidence: Math.round(confidence * 65536) };
      }
    }
    return { label: about.labels[exit.index], exit, totals, probability, spikes };
  }
}

function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
