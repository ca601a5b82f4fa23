// Files of this page: fetched once, compared with the size and the checksum in page.json, and kept.

const ROOT = new URL("../", import.meta.url);
const kept = new Map();
let told;

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  for (let k = 0; k < 8; k++) i = i & 1 ? (i >>> 1) ^ 0xedb88320 : i >>> 1;
  return i;
});

/** CRC-32 of bytes, as zlib.crc32 in Python. */
export function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

async function get(name) {
  let answer;
  try {
    answer = await fetch(new URL(name, ROOT));
  } catch {
    throw new Error(`${name} could not be fetched. Check the connection and the server.`);
  }
  if (!answer.ok) throw new Error(`${name} is missing (${answer.status}). Build the page again: dendrix page.`);
  return answer;
}

/** Version, networks and files of this copy: page.json. */
export function about() {
  told ??= get("page.json").then((answer) => answer.json());
  told.catch(() => (told = undefined));
  return told;
}

/** The content of a file, checked. */
export function bytesOf(name) {
  if (!kept.has(name)) {
    const promise = checked(name);
    promise.catch(() => kept.delete(name)); // so that a later call fetches it again
    kept.set(name, promise);
  }
  return kept.get(name);
}

async function checked(name) {
  const expected = (await about()).files[name];
  if (!expected) throw new Error(`${name} is no file of this page.`);
  const bytes = new Uint8Array(await (await get(name)).arrayBuffer());
  if (bytes.length !== expected.bytes || crc32(bytes) !== expected.crc32) {
    throw new Error(`${name} is damaged: its checksum differs from that of page.json. Reload, or build the page again: dendrix page.`);
  }
  return bytes;
}

export async function jsonOf(name) {
  return JSON.parse(new TextDecoder().decode(await bytesOf(name)));
}

/** A compiled engine. */
export async function engineOf(name) {
  return WebAssembly.compile(await bytesOf(name));
}

/** Fetch models and engines; returns sentences about those that are missing or damaged. */
export async function preload(progress) {
  const names = Object.keys((await about()).files).filter((name) => /^(models|engines)\/.*\.(bin|json|wasm)$/.test(name));
  const problems = [];
  let done = 0;
  for (const name of names) {
    await bytesOf(name).catch((error) => problems.push(error.message));
    progress?.(++done, names.length);
  }
  return problems;
}
