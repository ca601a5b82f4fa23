// Vocabularies as files that `dendrix predict`, `listen` and `teach` take: arrays in safetensors, facts as JSON in its header.

const MOMENT = 64; // the engine's means and deviations are 64ths

const invalid = (reason) => new Error(`Expected a vocabulary that dendrix or this page wrote, got ${reason}.`);

/**
 * @param {object[]} list words of an engine: name, rate, codes, theta, mean, deviation
 * @param {object} about an entry of models/teach.json: version of the files, identity of the backbone, name of the network
 */
export function vocabularyFile(list, { version, backbone, network: source }) {
  const words = list.map(({ name, rate, theta, mean, deviation }) => ({ name, rate, theta, mean: mean / MOMENT, deviation: deviation / MOMENT, rivals: [] }));
  const header = { __metadata__: { facts: JSON.stringify({ kind: "vocabulary", version, backbone, source, words }) } };
  let end = 0;
  list.forEach(({ codes }, i) => {
    const size = codes.length * codes[0].length;
    header[`word ${i}`] = { dtype: "U8", shape: [codes.length, codes[0].length], data_offsets: [end, (end += size)] };
  });
  let text = JSON.stringify(header);
  text += " ".repeat(-new TextEncoder().encode(text).length & 7);
  const head = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + head.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  let at = 8 + head.length;
  for (const code of list.flatMap(({ codes }) => codes)) {
    file.set(code, at);
    at += code.length;
  }
  return file;
}

/** The words of a file, for the engine. Raises an error with a sentence for anything else. */
export function wordsOf(file, { version, backbone }, codeBytes) {
  let header;
  let facts;
  const length = file.length > 8 ? Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true)) : NaN;
  try {
    header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
    facts = JSON.parse(header.__metadata__.facts);
  } catch {
    throw invalid("another file, or a damaged one");
  }
  if (facts.kind !== "vocabulary" || facts.version !== version) throw invalid(`a ${facts.kind ?? "file"} of version ${facts.version}`);
  if (facts.backbone !== backbone) throw invalid("one of another network. Choose that network first");
  const names = new Set();
  return facts.words.map(({ name, rate, theta, mean, deviation, rivals = [] }, i) => {
    if (rivals.length) throw invalid(`the word '${name}' with a veto, which this page cannot apply`);
    const { dtype, shape, data_offsets: [from, to] = [] } = header[`word ${i}`] ?? {};
    const numbers = [rate, theta, mean, deviation].every(Number.isFinite) && deviation > 0 && Number.isInteger(theta);
    const fits = dtype === "U8" && shape?.[1] === codeBytes && shape[0] > 0 && to - from === shape[0] * codeBytes && 8 + length + to <= file.length;
    if (!numbers || !fits || typeof name !== "string" || !name.trim() || names.has(name)) throw invalid(`a damaged word (number ${i + 1})`);
    names.add(name);
    const codes = Array.from({ length: shape[0] }, (_, k) => file.slice(8 + length + from + k * codeBytes, 8 + length + from + (k + 1) * codeBytes));
    return { name, rate, codes, theta, mean: Math.floor(mean * MOMENT + 0.5), deviation: Math.max(Math.floor(deviation * MOMENT + 0.5), 1) };
  });
}
