// Sound of the visitor: the microphone and files, as samples at the rate of a network.
import { Resampler } from "./resample.js";
import { loading } from "./thread.js";

const MODULE = new URL("../workers/microphone.js", import.meta.url);
const REASONS = {
  NotAllowedError: "The microphone was refused. Allow it for this page in the browser, or use a file or a sample.",
  NotFoundError: "No microphone was found. Connect one, or use a file or a sample.",
  NotReadableError: "The microphone is in use by another program. Close it, or use a file or a sample.",
};

// The worklet's file is fetched now, so that the microphone works without a connection later.
const ready = typeof AudioWorklet === "function" ? new OfflineAudioContext(1, 1, 44100).audioWorklet.addModule(MODULE).catch(() => null) : null;
loading.push(ready);

/**
 * Listen to the microphone.
 * @param {number} rate of the samples that are wanted
 * @param {(wave: Float32Array) => void} each gets pieces
 * @param {(reason: string) => void} lost the microphone has ended
 * @returns a function that stops
 */
export async function listen(rate, each, lost) {
  if (!navigator.mediaDevices?.getUserMedia || !ready) {
    throw new Error("This page has no access to a microphone: it needs https or this computer's own address. Use a file or a sample.");
  }
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone could not be opened (${error.name}). Use a file or a sample.`);
  }
  const context = new AudioContext();
  const stop = () => {
    for (const track of media.getTracks()) track.stop();
    if (context.state !== "closed") context.close();
  };
  try {
    await ready;
    await context.audioWorklet.addModule(MODULE);
    const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    const resampler = new Resampler(context.sampleRate, rate);
    node.port.onmessage = ({ data }) => each(resampler.push(data));
    context.createMediaStreamSource(media).connect(node);
    await context.resume();
  } catch (error) {
    stop();
    throw new Error(`The microphone could not be read (${error.message}). Use a file or a sample.`);
  }
  media.getAudioTracks()[0].onended = () => (stop(), lost("The microphone was disconnected."));
  return stop;
}

/** Samples of a file of sound, mono, at a rate. */
export async function samplesOfFile(file, rate) {
  const expected = `${file.name}: expected sound that this browser can read, such as WAV, MP3 or Ogg`;
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`${expected}, got something else.`);
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, c) => sound.getChannelData(c));
  if (!sound.length) throw new Error(`${expected}, got no samples.`);
  return channels.length === 1 ? channels[0] : channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

/** Floating-point samples, full scale at 1, as 16-bit samples. */
export const whole = (wave) => Int16Array.from(wave, (x) => Math.max(-32768, Math.min(32767, Math.floor(x * 32768 + 0.5))));

/** What is wrong with a recording, in words; null if nothing is. */
export function fault(samples) {
  let peak = 0;
  let clipped = 0;
  for (const x of samples) {
    const size = x < 0 ? -x : x;
    if (size > peak) peak = size;
    clipped += size >= 32735;
  }
  if (peak < 33) return "This is silence. Check the microphone.";
  if (clipped > 0.01 * samples.length) return `This is clipped (${Math.round((100 * clipped) / samples.length)} % of the samples). Move back, or turn the level down.`;
  return null;
}
