// Start page, change of rooms, and loading of everything in the background.
import { element } from "./lib/html.js";
import { about, preload } from "./lib/files.js";
import { loading } from "./lib/thread.js";
import { ROOMS } from "./rooms.js";

const content = document.getElementById("content");
const opened = new Map(); // sections by the name of their room

function problem(text) {
  const place = document.getElementById("problem");
  place.textContent = text;
  place.className = "message";
  place.hidden = false;
}

document.getElementById("problem").hidden = true; // its text is for browsers that never reach this line

for (const room of ROOMS) {
  document.getElementById("rooms").append(element("li", {}, element("a", { href: `#${room.name}` }, room.title)));
  document.getElementById("doors").append(element("li", {}, element("a", { href: `#${room.name}` }, element("strong", {}, room.title), room.door)));
}

/** Show the room that the address names. */
async function show(first) {
  const room = ROOMS.find(({ name }) => `#${name}` === location.hash);
  if (location.hash === "#content") return; // the link that skips the navigation
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const section of content.children) section.hidden = section.id !== (room?.name ?? "start");
  document.title = room ? `${room.title} · dendrix` : "dendrix";
  if (room && !opened.has(room.name)) await enter(room);
  if (!first) {
    content.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

async function enter(room) {
  const section = element("section", { id: room.name, "aria-labelledby": `${room.name}-title` });
  const title = element("h1", { id: `${room.name}-title` }, room.title);
  opened.set(room.name, section);
  section.append(title, element("p", { role: "status" }, "Loading …"));
  content.append(section);
  try {
    const { open } = await room.load();
    const inside = element("div", {});
    await open(inside, await about());
    section.replaceChildren(title, inside);
  } catch (error) {
    const again = element("button", { type: "button", onclick: () => leave(room, section) }, "Try again");
    section.replaceChildren(title, element("p", { class: "message", role: "alert" }, sentence(error)), again);
  }
}

function leave(room, section) {
  section.remove();
  opened.delete(room.name);
  show();
}

function sentence(error) {
  return `This room could not be opened: ${error.message} The other rooms still work.`;
}

function facts({ version, files, networks }) {
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  const found = { Version: version, "Size of everything": `${(bytes / 1e6).toFixed(2)} MB` };
  for (const [room, network] of Object.entries(networks)) {
    const size = files[`models/${room}.bin`]?.bytes;
    found[`Network of ${ROOMS.find(({ name }) => name === room)?.title ?? room}`] = `${network}, ${Math.round(size / 1000)} kB`;
  }
  for (const [name, value] of Object.entries(found)) {
    document.getElementById("facts").append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }
}

async function start() {
  if (typeof WebAssembly !== "object") {
    problem("This browser has no WebAssembly, which the networks need. Any browser from 2023 on has it; it may be switched off here.");
    return;
  }
  addEventListener("hashchange", () => show());
  try {
    facts(await about());
  } catch (error) {
    problem(`The page is not complete: ${error.message}`);
    return;
  }
  document.documentElement.dataset.ready = "shown";
  await show(true);
  const status = document.getElementById("loading");
  const missing = await preload((done, total) => (status.textContent = `Loading: ${done} of ${total} files.`));
  await Promise.all(ROOMS.map((room) => room.load().catch((error) => missing.push(error.message))));
  await Promise.all(loading);
  status.textContent = missing.length ? missing.join(" ") : "Everything is loaded. From here on the page works without a connection.";
  document.documentElement.dataset.ready = "loaded";
}

start();
