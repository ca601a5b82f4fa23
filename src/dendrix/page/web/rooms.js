// The rooms, in the order of the start page. A room is a module that exports open(section, about).

export const ROOMS = [
  {
    name: "see",
    title: "See",
    door: "A converted image network, layer by layer and spike by spike, until its exit rule is sure.",
    load: () => import("./rooms/see.js"),
  },
];
