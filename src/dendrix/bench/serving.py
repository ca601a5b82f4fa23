"""What `dendrix serve` bears: a server in a process of its own, on this machine, and many streams of it at once."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
"""With random weights: what a token costs does not depend on them."""
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Load:
    """So many streams at once, each with a request of this size."""

    model: str
    streams: int
    prompt_tokens: int
    new_tokens: int


LOADS = (Load("1M", 100, 64, 64), Load("1M", 1000, 32, 32), Load("46M", 100, 32, 32))
_PROMPTS = 20
"""Different prompts; streams share them, and each answer must be that which its prompt got alone."""


@dataclass(frozen=True)
class Process:
    """A server that runs."""

    id: int
    address: Address
    kill: Callable[[], None]

    def memory(self) -> int:
        """The greatest resident size since `forget`, in bytes."""
        return int(Path(f"/proc/{self.id}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    def cpu_s(self) -> float:
        """Seconds that processors have worked for it, which do not depend on what else runs on this machine."""
        fields = Path(f"/proc/{self.id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget(self) -> None:
        """Measure the greatest size from now on."""
        Path(f"/proc/{self.id}/clear_refs").write_text("5")


@contextmanager
def served(folder: Path, threads: int, port: int = 0, running: int = 1000, waiting: int = 0) -> Iterator[Process]:
    """The command `dendrix serve` until the end of the block."""
    words = [sys.executable, "-m", "dendrix", "serve", str(folder), "--port", str(port)]
    words += ["--limits.running", str(running), "--limits.waiting", str(waiting)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not (found := re.search(r"http://([\d.]+):(\d+)/", said)):
                raise RuntimeError(f"dendrix serve: expected the line that it is ready, got {said!r}. What it said before is above.")
            yield Process(process.pid, (found[1], int(found[2])), process.kill)
        finally:
            process.kill()


def measured(threads: int, quick: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Bear all loads, one after the other, each by a fresh server.

    Args:
        threads: of the server.
        quick: a few short streams: does everything run and agree?
        say: told what comes next.
    Raises:
        RuntimeError: a stream was lost, or an answer was another than alone; there are no figures then.
    """
    records = []
    with tempfile.TemporaryDirectory() as base:
        for load in (Load("1M", 10, 8, 8),) if quick else LOADS:
            say(f"serve: {load}")
            records.append(bear(load, saved(load.model, Path(base)), threads))
    return records


def table(records: list[dict[str, Any]]) -> str:
    """The section of the report."""
    heads = "model | streams | prompt, answer | requests/s | tokens/s | tokens per CPU s | first text p50, p99 | answer p50, p99 | state"
    about = "Greedy streams opened at once, each answer equal to that of its prompt alone, none lost. Times in seconds, states in KiB."
    lines = ["## Serving", "", about, "", f"| {heads} |", "|---" * (heads.count("|") + 1) + "|"]
    for r in records:
        times = " | ".join(f"{r[name]['p50']:.2f}, {r[name]['p99']:.2f}" for name in ("first_text_s", "latency_s"))
        speeds = f"{r['requests_per_s']:.1f} | {r['tokens_per_s']:,.0f} | {r['tokens_per_cpu_s']:,.0f}"
        lines.append(
            f"| {r['model']} | {r['streams']} | {r['prompt_tokens']}, {r['new_tokens']} | {speeds} | {times} | {r['state_kib']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def saved(name: str, base: Path) -> Path:
    """The folder of a model, made if it is not there."""
    folder = base / name
    if not folder.exists():
        folder.mkdir()
        torch.manual_seed(0)
        network = SpikeGPT(MODELS[name]).eval()
        with torch.no_grad():
            network.head.weight.normal_(0, 3)  # so that greedy answers vary
        save_language_model(folder, network, byte_tokenizer())
    return folder


def bear(load: Load, folder: Path, threads: int) -> dict[str, Any]:
    """One load: what it took, and how long everybody waited."""
    bodies = requests(load)
    with served(folder, threads) as server:
        alone = [ask_at_once(server.address, [body])[0] for body in bodies]
        before, worked = server.memory(), server.cpu_s()
        server.forget()
        began = time.perf_counter()
        replies = ask_at_once(server.address, [bodies[i % _PROMPTS] for i in range(load.streams)])
        seconds, grown, worked = time.perf_counter() - began, server.memory() - before, server.cpu_s() - worked
    if wrong := [reply for i, reply in enumerate(replies) if not reply.complete or reply.text != alone[i % _PROMPTS].text]:
        raise RuntimeError(
            f"{load}: {len(wrong)} of {len(replies)} answers were lost or other than alone, such as {wrong[0]}. This is a bug."
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
