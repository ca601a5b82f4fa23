"""How much faster than real time taught words are heard in a stream, on one core: writes benchmarks/listening.json.

    DENDRIX_DATA=... python benchmarks/listening.py

Five minutes of the Arabic commands of the test split, one behind the other, in chunks of several lengths by `dendrix.teach.listen_for`
with ten taught words, and by the exported C program. Processor times; the median of three runs. `dendrix listen -` reads 250 ms at a
time where it is behind.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
import torch

from dendrix.bench.machine import describe
from dendrix.core.files import write_json
from dendrix.data.speech.audio import Wave, resample
from dendrix.data.speech.commands import RATE, command_clips, decode_command
from dendrix.runs.opened import open_run
from dendrix.runs.teaching import open_coder
from dendrix.runs.words_deployment import DeployWords, export_words
from dendrix.teach import Vocabulary, speech_features
from dendrix.teach.listening import listen_for

MINUTES, CHUNKS_MS, REPEATS, WORDS, TAKES = 5, (100, 250, 1000), 3, 10, 3


def stream(rate: int) -> Wave:
    """Return the sound, [N]."""
    recordings = command_clips(None)
    order = np.random.default_rng(0).permutation(np.flatnonzero(recordings.split == 2))
    waves, seconds = [], 0.0
    while seconds < 60 * MINUTES:
        waves.append(decode_command(recordings.clips[order[len(waves)]]))
        seconds += len(waves[-1]) / RATE
    return resample(np.concatenate(waves), RATE, rate)


def taught(name: str) -> Vocabulary:
    """Return a vocabulary of ten known words, each taught from three test clips."""
    coder, data = open_coder(name), open_run(name, "test").data
    vocabulary = Vocabulary(coder.backbone, source=name)
    for word in range(WORDS):
        clips = np.flatnonzero(data.y.numpy() == word)[:TAKES]
        features = speech_features(coder.network, [data[i][0] for i in clips], coder.encoder.dt_ms, coder.backbone.settings)
        vocabulary.teach(f"word {word}", coder.backbone.codes(features), 0.05)
    return vocabulary


def times_real_time(run: Callable[[], float]) -> float:
    return 60 * MINUTES / statistics.median(run() for _ in range(REPEATS))


def measured(name: str) -> dict[str, float]:
    """Times real time in Python, by the length of the chunks, and in C."""
    vocabulary, coder = taught(name), open_coder(name)
    rate = coder.encoder.rate
    wave = stream(rate)

    def in_python(length: int) -> float:
        chunks = np.split(wave, range(length, len(wave), length))
        start = time.process_time()
        list(listen_for(vocabulary, coder, iter(chunks)))
        return time.process_time() - start

    lengths = {ms: rate * ms // 1000 for ms in CHUNKS_MS}
    found = {f"python, {ms} ms": times_real_time(lambda length=length: in_python(length)) for ms, length in lengths.items()}
    if shutil.which("make") is None or shutil.which("cc") is None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        file, made = Path(folder, "words.safetensors"), Path(folder, "made")
        vocabulary.save(file)
        export_words(DeployWords(file), "c", made)
        subprocess.run(["make", "-C", made], check=True, capture_output=True)
        samples = np.rint(np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()

        def in_c() -> float:
            start = getrusage(RUSAGE_CHILDREN).ru_utime
            subprocess.run([made / "words"], input=samples, check=True, capture_output=True)
            return getrusage(RUSAGE_CHILDREN).ru_utime - start

        return {**found, "c": times_real_time(in_c)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {"machine": describe(), **{name: measured(name) for name in ("commands", "fsdd")}}
    write_json(Path(__file__).with_name("listening.json"), results)
    print(json.dumps(results, indent=1))
