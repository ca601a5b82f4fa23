// Threads, whose files are fetched when they are made: the page must not say that everything is loaded before they run.

/** Promises of what modules load on their own; none is ever rejected. */
export const loading = [];

/**
 * Start a thread, which says `{ started: true }` when its files have been run.
 * @param {URL} file module of the thread
 * @param {string} name what runs in it, for messages
 * @returns the worker, and a promise that is rejected when it fails
 */
export function startThread(file, name) {
  const worker = new Worker(file, { type: "module" });
  const failed = new Promise((_, reject) => {
    worker.addEventListener("error", ({ message }) => reject(new Error(`The thread of ${name} failed: ${message || "its file could not be run"}. Reload the page.`)));
  });
  const started = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
  const ended = failed.catch(() => {}); // told when the room is opened
  loading.push(Promise.race([started, ended]));
  return { worker, failed };
}
