// Elements of HTML.

let count = 0;

/** An element with attributes, listeners (`onclick: ...`) and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** A labelled slider: { field, input }, with its value shown by `text(number)`; `change(number)` is called with new values. */
export function slider(label, { min, max, step = 1, value, text = String, change }) {
  const id = `slider-${count++}`;
  const shown = element("output", { for: id }, text(value));
  const input = element("input", { id, type: "range", min, max, step, value });
  const told = () => {
    shown.textContent = text(input.valueAsNumber);
    input.setAttribute("aria-valuetext", text(input.valueAsNumber));
  };
  input.addEventListener("input", () => (told(), change?.(input.valueAsNumber)));
  told();
  return { field: element("div", { class: "field" }, element("label", { for: id }, label, shown), input), input, told };
}

/** A labelled field for a number, text or a list of options. */
export function field(label, input) {
  input.id ||= `field-${count++}`;
  return element("div", { class: "field" }, element("label", { for: input.id }, label), input);
}

/** A table with a caption for screen readers: `rows` of values below `head`. */
export function table(caption, head, rows) {
  const cell = (name, value) => element(name, { class: typeof value === "number" ? "number" : null, scope: name === "th" ? "col" : null }, String(value));
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { class: "small" }, caption),
      element("thead", {}, element("tr", {}, ...head.map((value) => cell("th", value)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value) => cell("td", value))))),
    ),
  );
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
