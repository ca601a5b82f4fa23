"""Speed of the shipped language model in whole numbers: `python -m dendrix.bench.text_deployment FILE`."""

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import torch

from ..core.files import write_json
from ..deploy import DeployedText, continued, export_text_c, export_text_wasm, quantise_text
from ..models.spikegpt.hf_files import load_network
from ..models.spikegpt.network import SpikeGPT
from ..pretrained import find_run
from ..samples import find_sample
from .deployment import Answer, Record, Run, process
from .harness import UnavailableError
from .machine import describe

PROMPT = np.frombuffer(b"It was a dark night, and ", np.uint8).astype(np.int64)
TEMPERATURE, SEED = 800, 7
_GLUE = """
#include "dendrix_text.h"
#include "model.h"
static uint64_t memory[(DX_TEXT_SIZE + 7) / 8];
void dx_continue(const uint16_t *prompt, size_t count, uint32_t temperature, uint64_t seed, uint16_t *tokens, size_t wanted) {
  dx_text_answer answer;
  dx_text_init(memory, sizeof memory, &dx_text_network, temperature, seed);
  dx_text_push(memory, prompt, count);
  for (size_t i = 0; i < wanted; i++) {
    dx_text_result(memory, &answer);
    tokens[i] = (uint16_t)answer.token;
    dx_text_push(memory, tokens + i, 1);
  }
}
"""


def measured(made: DeployedText, tokens: int = 1000, rounds: int = 15) -> Record:
    """Continue a prompt with every engine that is here, in interleaved rounds; all texts must be equal.

    Args:
        made: the language model.
        tokens: length of the continuation.
        rounds: number of runs of each engine.
    Returns:
        for each engine tokens per second of processor time, median, least and greatest, and reasons for those that are not here.
    Raises:
        RuntimeError: an engine continued the text otherwise than Python.
    """
    expected = _python(made, tokens)()["tokens"]
    refused: dict[str, str] = {}
    runs: dict[str, Run] = {}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        for name, make in _makers(made, Path(place), tokens, stack).items():
            try:
                runs[name] = make()
            except UnavailableError as error:
                refused[name] = str(error)
                continue
            if runs[name]()["tokens"] != expected:
                raise RuntimeError(f"{name}: expected the text that Python wrote, got another.")
        speeds = [{name: tokens / run()["seconds"] for name, run in runs.items()} for _ in range(rounds)]
    rows = {name: _spread([row[name] for row in speeds]) for name in runs}
    return {"tokens": tokens, "rounds": rounds, "rows": rows, "refused": refused}


def _spread(speeds: list[float]) -> dict[str, float]:
    return {"median": statistics.median(speeds), "least": min(speeds), "greatest": max(speeds)}


def _makers(made: DeployedText, folder: Path, tokens: int, stack: ExitStack) -> dict[str, Callable[[], Run]]:
    """What builds each engine."""
    return {
        "C, gcc -O2": lambda: _c(made, folder / "O2", tokens, "-O2"),
        "C, gcc -O3": lambda: _c(made, folder / "O3", tokens, "-O3"),
        "WebAssembly": lambda: _node(made, folder / "plain", tokens, "text.wasm", stack),
        "WebAssembly with SIMD": lambda: _node(made, folder / "simd", tokens, "text_simd.wasm", stack),
        "Python, compiled loops": lambda: _python(made, tokens),
    }


def _c(made: DeployedText, folder: Path, tokens: int, level: str) -> Run:
    """The engine in C, in this process."""
    if (compiler := shutil.which("gcc")) is None:
        raise UnavailableError("there is no gcc")
    export_text_c(made, folder, [PROMPT])
    (folder / "glue.c").write_text(_GLUE)
    command = [compiler, "-std=c99", level, "-shared", "-fPIC", "-o", "engine.so", "dendrix_text.c", "model.c", "glue.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    engine, written, prompt = ctypes.CDLL(str(folder / "engine.so")), np.zeros(tokens, np.uint16), PROMPT.astype(np.uint16)
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    engine.dx_continue.argtypes = (pointer, size, ctypes.c_uint32, ctypes.c_uint64, pointer, size)

    def run() -> Answer:
        began = time.process_time()
        engine.dx_continue(prompt.ctypes.data, len(prompt), TEMPERATURE, SEED, written.ctypes.data, tokens)
        return {"seconds": time.process_time() - began, "tokens": written.tolist()}

    return run


def _node(made: DeployedText, folder: Path, tokens: int, engine: str, stack: ExitStack) -> Run:
    """An engine for WebAssembly in node."""
    if (node := shutil.which("node")) is None:
        raise UnavailableError("there is no node")
    export_text_wasm(made, folder, [PROMPT])
    asked = [",".join(map(str, PROMPT.tolist())), str(TEMPERATURE), str(SEED), str(tokens)]
    return process(stack, [node, str(Path(__file__).with_name("text_worker.mjs")), str(folder), engine, *asked])


def _python(made: DeployedText, tokens: int) -> Run:
    """The compiled loops, in this process."""

    def run() -> Answer:
        began = time.process_time()
        written = [int(token) for token in islice(continued(made.network, PROMPT, TEMPERATURE, SEED), tokens)]
        return {"seconds": time.process_time() - began, "tokens": written}

    return run


def shipped_text() -> DeployedText:
    """The integer form of the shipped language model, calibrated on the shipped sample."""
    network, _ = load_network(find_run("novels"))
    return DeployedText(quantise_text(cast(SpikeGPT, network), [torch.tensor([list(find_sample("harbour.txt").read_bytes())])]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_json(Path(sys.argv[1]), {"machine": describe(), **measured(shipped_text())})
