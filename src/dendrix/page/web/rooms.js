// The rooms, in the order of the start page. A room is a module that exports open(section, about).

export const ROOMS = [
  {
    name: "hear",
    title: "Hear",
    door: "Say a digit: learned delays, the spikes of each layer, and an answer before the word has ended.",
    load: () => import("./rooms/hear.js"),
  },
  {
    name: "see",
    title: "See",
    door: "A converted image network, layer by layer and spike by spike, until its exit rule is sure.",
    load: () => import("./rooms/see.js"),
  },
  {
    name: "teach",
    title: "Teach",
    door: "Say a word three times, and the page knows it. It stays on your device.",
    load: () => import("./rooms/teach.js"),
  },
  {
    name: "write",
    title: "Write",
    door: "A spiking language model continues your text, byte by byte, with a state that never grows.",
    load: () => import("./rooms/write.js"),
  },
  {
    name: "codes",
    title: "Sparse codes",
    door: "How often does a segment of a dendrite err? Exact rates as you move the sliders, beside simulation.",
    load: () => import("./rooms/codes.js"),
  },
];
