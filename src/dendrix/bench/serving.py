"""Load test of `dendrix serve`: a server in its own process on this machine, and many concurrent streams."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.text.tokenizers import byte_tokenizer
from ..generate import Decoder
from ..models.spikegpt.hf_files import save_language_model
from ..models.spikegpt.network import SpikeGPT, SpikeGPTConfig, published_46m
from .load import Address, ask_at_once

MODELS = {"1M": SpikeGPTConfig(256, width=160, layers=3, start="rwkv"), "46M": published_46m(256)}
"""Networks with random weights, on which the cost of a token does not depend."""
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Load:
    """A number of concurrent streams, each with a request of this size."""

    model: str
    streams: int
    prompt_tokens: int
    new_tokens: int


LOADS = (Load("1M", 100, 64, 64), Load("1M", 1000, 32, 32), Load("46M", 100, 32, 32))
_PROMPTS = 20
"""Number of different prompts. Streams share them, and each answer must equal the answer to its prompt alone."""


@dataclass(frozen=True)
class Process:
    """A running server."""

    id: int
    address: Address
    kill: Callable[[], None]

    def memory(self) -> int:
        """The greatest resident size since `reset_memory`, in bytes."""
        return int(Path(f"/proc/{self.id}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    def cpu_s(self) -> float:
        """Processor time in seconds, with that of its workers, which does not depend on other processes of this machine."""
        return sum(_cpu_s(id) for id in (self.id, *_children(self.id)))

    def reset_memory(self) -> None:
        """Begin a new measurement of the greatest resident size."""
        Path(f"/proc/{self.id}/clear_refs").write_text("5")


def _cpu_s(process: int) -> float:
    return time.clock_gettime((~process << 3) | 2)  # the clock of another process on Linux, as of clock_getcpuclockid


def _children(process: int) -> list[int]:
    """Return the processes that a process has started, and those that they have started."""
    own = [int(word) for file in Path(f"/proc/{process}/task").glob("*/children") for word in file.read_text().split()]
    return own + [id for child in own for id in _children(child)]


@contextmanager
def served(
    folder: Path, threads: int, port: int = 0, running: int = 1000, waiting: int = 0, options: Sequence[str] = ()
) -> Iterator[Process]:
    """Run the command `dendrix serve` until the end of the block."""
    words = [sys.executable, "-m", "dendrix", "serve", str(folder), "--port", str(port)]
    words += ["--limits.running", str(running), "--limits.waiting", str(waiting), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not (found := re.search(r"http://([\d.]+):(\d+)/", said)):
                raise RuntimeError(f"dendrix serve: expected the line that it is ready, got {said!r}. Its messages are above.")
            yield Process(process.pid, (found[1], int(found[2])), process.kill)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def measured(threads: int, smoke: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run all loads, one after another, each on a new server.

    Args:
        threads: number of threads of the server.
        smoke: a few short streams, as a test that everything runs and agrees.
        say: receives a line before each load.
    Raises:
        RuntimeError: a stream was lost, or an answer differs from that to its prompt alone. No figures are returned then.
    """
    records = []
    with tempfile.TemporaryDirectory() as base:
        for load in (Load("1M", 10, 8, 8),) if smoke else LOADS:
            say(f"serve: {load}")
            records.append(run_load(load, saved(load.model, Path(base)), threads))
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Section of the report."""
    heads = "model | streams | prompt, answer | requests/s | tokens/s | tokens per CPU s | first text p50, p99 | answer p50, p99 | state"
    about = (
        "Greedy streams opened at the same time; none was lost, and each answer equals that to its prompt alone. Times in s, states in KiB."
    )
    lines = ["## Serving", "", about, "", f"| {heads} |", "|---" * (heads.count("|") + 1) + "|"]
    for r in records:
        times = " | ".join(f"{r[name]['p50']:.2f}, {r[name]['p99']:.2f}" for name in ("first_text_s", "latency_s"))
        speeds = f"{r['requests_per_s']:.1f} | {r['tokens_per_s']:,.0f} | {r['tokens_per_cpu_s']:,.0f}"
        lines.append(
            f"| {r['model']} | {r['streams']} | {r['prompt_tokens']}, {r['new_tokens']} | {speeds} | {times} | {r['state_kib']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def saved(name: str, base: Path) -> Path:
    """The folder of a model, created if missing."""
    folder = base / name
    if not folder.exists():
        folder.mkdir()
        torch.manual_seed(0)
        network = SpikeGPT(MODELS[name]).eval()
        with torch.no_grad():
            network.head.weight.normal_(0, 3)  # so that greedy answers vary
        save_language_model(folder, network, byte_tokenizer())
    return folder


def run_load(load: Load, folder: Path, threads: int) -> dict[str, Any]:
    """Run one load, and return its throughput, latencies and memory."""
    bodies = requests(load)
    with served(folder, threads) as server:
        alone = [ask_at_once(server.address, [body])[0] for body in bodies]
        before, worked = server.memory(), server.cpu_s()
        server.reset_memory()
        began = time.perf_counter()
        replies = ask_at_once(server.address, [bodies[i % _PROMPTS] for i in range(load.streams)])
        seconds, grown, worked = time.perf_counter() - began, server.memory() - before, server.cpu_s() - worked
    if wrong := [reply for i, reply in enumerate(replies) if not reply.complete or reply.text != alone[i % _PROMPTS].text]:
        raise RuntimeError(
            f"{load}: {len(wrong)} of {len(replies)} answers were lost or differ from those alone, such as {wrong[0]}. This is a bug."
        )
    gaps = np.concatenate([np.diff(reply.arrivals_s) for reply in replies])
    return {
        **asdict(load),
        "threads": threads,
        "seconds": seconds,
        "cpu_s": worked,
        "requests_per_s": load.streams / seconds,
        "tokens_per_s": load.streams * load.new_tokens / seconds,
        "tokens_per_cpu_s": load.streams * load.new_tokens / worked,
        "first_text_s": _shares([reply.arrivals_s[0] for reply in replies]),
        "latency_s": _shares([reply.arrivals_s[-1] for reply in replies]),
        "between_parts_s": _shares(gaps),
        "alone_latency_s": _shares([reply.arrivals_s[-1] for reply in alone]),
        "state_kib": Decoder(SpikeGPT(MODELS[load.model])).rest().nbytes / 1024,
        "resident_kib_per_stream": grown / load.streams / 1024,
    }


def requests(load: Load) -> list[dict[str, Any]]:
    """Greedy requests with prompts of random letters."""
    drawn = np.random.default_rng(0).integers(97, 123, (_PROMPTS, load.prompt_tokens))
    return [dict(model=load.model, prompt=prompt.tolist(), max_tokens=load.new_tokens, temperature=0) for prompt in drawn]


def _shares(seconds: Any) -> dict[str, float]:
    return {name: float(np.percentile(seconds, share)) for name, share in (("p50", 50), ("p99", 99), ("most", 100))}
