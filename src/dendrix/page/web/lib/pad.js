// A field to draw on.
import { element } from "./html.js";

const SHARPER = 8; // dots of the field for one of the picture, each way

/** A field to draw on with a pointer, in white on black, for networks of grey pictures; `changed(pixels)` is called after each stroke. */
export class Pad {
  constructor([height, width], changed) {
    this.size = [height, width];
    this.changed = changed;
    this.canvas = element("canvas", { class: "pad", width: SHARPER * width, height: SHARPER * height, role: "img", "aria-label": "Field to draw on with a pointer" });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.context.lineWidth = SHARPER * 2.2;
    this.context.lineCap = this.context.lineJoin = "round";
    this.context.strokeStyle = "#fff";
    this.node = element("div", { class: "row" }, element("div", {}, element("p", { class: "title" }, "Or draw one"), this.canvas), element("button", { type: "button", onclick: () => this.clear() }, "Clear the field"));
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => this.end());
    this.canvas.addEventListener("pointercancel", () => this.end());
    this.clear();
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }

  begin(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.at(event);
    this.move(event);
  }

  move(event) {
    if (!this.last) return;
    const next = this.at(event);
    this.context.beginPath();
    this.context.moveTo(...this.last);
    this.context.lineTo(...next);
    this.context.stroke();
    this.last = next;
  }

  end() {
    if (!this.last) return;
    this.last = null;
    const [height, width] = this.size;
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const found = new Uint8Array(height * width);
    for (let i = 0; i < found.length; i++) {
      const [row, column] = [Math.floor(i / width) * SHARPER, (i % width) * SHARPER];
      let sum = 0;
      for (let y = row; y < row + SHARPER; y++) for (let x = column; x < column + SHARPER; x++) sum += data[4 * (y * this.canvas.width + x)];
      found[i] = Math.round(sum / SHARPER ** 2);
    }
    this.changed(found);
  }
}
