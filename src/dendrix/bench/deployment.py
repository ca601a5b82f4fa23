"""The shipped digit network as it is deployed, beside other libraries. Its tables stand in docs/howto/microcontroller.md."""

import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import encoder_from_dict, read_wav
from ..deploy import Deployed, IntegerNetwork, export_c, export_wasm, quantise, streaming
from ..deploy.network import InputForm
from ..errors import InputError
from ..layers import freeze
from ..models import Decision
from ..run_folder import load
from ..run_folder.checkpoint import load_checkpoint
from ..samples import find_sample, samples
from . import deploy_worker
from .harness import UnavailableError

Record = dict[str, Any]
Ints = NDArray[np.int64]
Answer = dict[str, Any]
Run = Callable[[], Answer]
OURS = "C"
TOLERANCE = 0.01
"""Largest relative difference in the spikes of the last hidden layer between a library in float and the integers."""
_GLUE = """
#include "dendrix.h"
#include "model.h"
size_t dx_bytes(void) { return DX_SIZE; }
int dx_start(void *memory) { return dx_init(memory, DX_SIZE, &dx_network, DX_RATE_HZ); }
"""


def measured(smoke: bool, tell: Callable[[str], None], pythons: Sequence[str] = ()) -> Record:
    """Time a step of every engine and library that is here, on the same weights, delays and inputs.

    Args:
        smoke: two recordings and one round.
        tell: told about progress.
        pythons: interpreters of other environments that have snnTorch or Brian2; this one counts as well.
    """
    torch.set_num_threads(1)
    encoder = encoder_from_dict(load_checkpoint("fsdd").encoder or {})
    names = samples()[:2] if smoke else samples()
    sounds = [encoder.encode(read_wav(find_sample(name))[0]) for name in names]
    network = quantise(load("fsdd"), [sound[None] for sound in sounds], weights=8)
    frames = network.inputs.whole(torch.cat(sounds)).numpy()
    upper, spikes = _part(network, 1, None), _run(_part(network, 0, 1), frames)
    rounds = 1 if smoke else 9
    found: Record = {"recordings": len(names), "steps": len(frames), "rounds": rounds}
    tell("deploy: all layers")
    found["whole"] = compared(network, frames, rounds, pythons, ("snntorch",), wasm=True)
    tell("deploy: upper layers")
    found["upper"] = compared(upper, spikes, rounds, pythons, ("snntorch", "brian2"), wasm=False)
    tell("deploy: single steps")
    found["stepping"] = stepping(network, rounds)
    return found


def compared(
    network: IntegerNetwork, frames: NDArray[np.int64], rounds: int, pythons: Sequence[str], libraries: Sequence[str], wasm: bool
) -> Record:
    """Time runs over all frames in interleaved rounds, each after a comparison of its results with those of the integer network."""
    expected = _expected(network, frames)
    refused, rows = Record(), Record()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        _write(folder, network, frames)
        runs: dict[str, Run] = {}
        for name, make in _makers(folder, network, frames, pythons, libraries, wasm, stack).items():
            try:
                runs[name] = make()
                _expect_equal(runs[name](), expected)
            except (UnavailableError, OSError, subprocess.SubprocessError) as error:
                refused[name] = " ".join(str(error).split())
                runs.pop(name, None)
        times = [{name: run()["seconds"] / len(frames) * 1e6 for name, run in runs.items()} for _ in range(rounds)]
    for name in runs:
        ratios = [row[name] / row[OURS] for row in times]
        spread = {"ratio": statistics.median(ratios), "ratio_least": min(ratios), "ratio_greatest": max(ratios)}
        rows[name] = {"us": statistics.median(row[name] for row in times), **spread}
    return {"rows": rows, "refused": refused}


def stepping(network: IntegerNetwork, rounds: int) -> Record:
    """Medians of single steps in us, by network and batch: the modules, the compiled float loop, and the integer network."""
    whole = freeze(load("fsdd"))
    contenders = {"modules, float": whole, "compiled, float": streaming(whole), "integer": network}
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for batch in (1, 64):
            x = torch.rand(batch, network.inputs.channels) - 0.5
            for name, contender in contenders.items():
                found.setdefault(f"{name}, batch {batch}", []).append(_step_us(contender, x))
    return {name: statistics.median(times) for name, times in found.items()}


def _step_us(network: Any, x: Tensor, steps: int = 50) -> float:
    """Mean time of a step after the first ones, in us."""
    state = None
    with torch.no_grad():
        for _ in range(15):  # until the delays have come round
            _, state = network.step(x, state)
        began = time.perf_counter()
        for _ in range(steps):
            _, state = network.step(x, state)
    return (time.perf_counter() - began) / steps * 1e6


def _part(network: IntegerNetwork, first: int, end: int | None) -> IntegerNetwork:
    """Some of the layers as a network of their own."""
    layers = network.layers()[first:end]
    inputs = InputForm(layers[0].form.inputs, 0, 8) if first else network.inputs
    return IntegerNetwork.of(layers, inputs, network.unit if end is None else 1.0)


def _run(network: IntegerNetwork, frames: Ints) -> Ints:
    """Outputs [T, K] of frames [T, C]."""
    outputs: Ints = network.run(torch.from_numpy(frames)[None])[0][0].numpy()
    return outputs


def _expected(network: IntegerNetwork, frames: Ints) -> dict[str, Ints]:
    """Spikes of each neuron of the last hidden layer, and sums of the outputs."""
    return {"spikes": _run(_part(network, 0, -1), frames).sum(0), "sums": _run(network, frames).sum(0)}


def _expect_equal(answer: Answer, expected: dict[str, Ints]) -> None:
    """Compare to the bit what is in whole numbers, and within `TOLERANCE` what is in float.

    Raises:
        UnavailableError: the results differ.
    """
    for name in ("spikes",) if "spikes" in answer else ("sums",):
        got, wanted = np.array(answer[name], float), expected[name].astype(float)
        differ = float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
        if differ > (TOLERANCE if name == "spikes" else 0.0):
            raise UnavailableError(f"its {name} differ by {differ:.2g}")


def _write(folder: Path, network: IntegerNetwork, frames: Ints) -> None:
    """The layers and inputs for `deploy_worker`, in real units, and the inputs for the engines."""
    arrays: dict[str, NDArray[Any]] = {}
    scale = 2.0**-network.inputs.shift
    for number, layer in enumerate(network.layers()):
        unit = 2.0**-layer.form.shift  # of a membrane, in weights
        values: dict[str, NDArray[Any]] = {"weight": layer.weight[..., 0], "delay": layer.delay[..., 0], "decay": layer.decay / 2.0**15}
        values |= {"bias": layer.bias * unit, "threshold": layer.threshold * unit}
        if number == 0:
            values["weight"] = values["weight"] / scale
        arrays |= {f"{number}.{name}": value for name, value in values.items()}
    np.savez(folder / "network.npz", **cast(Any, arrays))
    np.save(folder / "input.npy", frames * scale)
    (folder / "input.bin").write_bytes(frames.astype("<i2").tobytes())


def _makers(
    folder: Path, network: IntegerNetwork, frames: Ints, pythons: Sequence[str], libraries: Sequence[str], wasm: bool, stack: ExitStack
) -> dict[str, Callable[[], Run]]:
    """What builds each contender."""
    labels = tuple(str(k) for k in range(network.forms[-1].outputs))
    made = Deployed(network, labels, Decision("sum"))
    makers: dict[str, Callable[[], Run]] = {OURS: lambda: _c(folder, made, frames)}
    if wasm:
        makers["WebAssembly in node"] = lambda: _node(folder, made, frames, stack)
    for library in libraries:
        python, version = python_of(library, pythons)
        makers[f"{library} {version}".strip()] = lambda library=library, python=python: worker(folder, library, python, stack)  # type: ignore[misc]
    return makers


def _c(folder: Path, made: Deployed, frames: Ints) -> Run:
    """The engine in C, in this process."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise UnavailableError("there is neither gcc nor clang")
    export_c(made, folder / "c", [frames[:2].ravel()])
    (folder / "c/glue.c").write_text(_GLUE)
    command = [compiler, "-std=c99", "-O2", "-DDX_TRACE", "-shared", "-fPIC", "-o", "engine.so", "dendrix.c", "model.c", "glue.c"]
    subprocess.run(command, cwd=folder / "c", check=True, capture_output=True)
    engine = ctypes.CDLL(str(folder / "c/engine.so"))
    engine.dx_bytes.restype, engine.dx_totals.restype = ctypes.c_size_t, ctypes.POINTER(ctypes.c_int64)
    memory = (ctypes.c_uint64 * (engine.dx_bytes() // 8 + 1))()
    values = np.ascontiguousarray(frames.ravel(), np.int16)

    def run() -> Answer:
        engine.dx_start(memory)
        began = time.perf_counter()
        engine.dx_push(memory, values.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(values)))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "sums": list(engine.dx_totals(memory)[: len(made.labels)])}

    return run


def _node(folder: Path, made: Deployed, frames: Ints, stack: ExitStack) -> Run:
    """The engine for WebAssembly in node."""
    if (node := shutil.which("node")) is None:
        raise UnavailableError("there is no node")
    export_wasm(made, folder / "web", [frames[:2].ravel()])
    return process(stack, [node, str(Path(__file__).with_name("deploy_worker.mjs")), str(folder / "web")])


def worker(folder: Path, library: str, python: str | None, stack: ExitStack) -> Run:
    """A library in its own process."""
    if python is None:
        raise UnavailableError("not installed in any of the Pythons")
    return process(stack, [python, deploy_worker.__file__, str(folder), library])


def process(stack: ExitStack, command: list[str]) -> Run:
    """A program that answers a line with a line of JSON."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    )

    def run() -> Answer:
        to, back, said = cast(IO[str], program.stdin), cast(IO[str], program.stdout), cast(IO[str], program.stderr)
        with suppress(BrokenPipeError):  # then it has ended, and says why
            to.write("\n")
            to.flush()
        if not (line := back.readline()):
            last = said.read().strip().rpartition("\n")[2]  # of a traceback the error, without the files of this machine
            raise UnavailableError(f"ended: {last[-300:]}")
        answer: Answer = json.loads(line)
        return answer

    return run


def python_of(library: str, pythons: Sequence[str]) -> tuple[str | None, str]:
    """The first Python that has a library, and the library's version.

    Raises:
        InputError: one of them does not run.
    """
    for python in (sys.executable, *pythons):
        try:
            ran = subprocess.run([python, deploy_worker.__file__], capture_output=True, text=True, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise InputError(f"pythons: expected interpreters with numpy, got {python} ({error}).") from error
        if version := json.loads(ran.stdout).get(library):
            return python, str(version)
    return None, ""


def table(record: Record) -> str:
    """The tables in Markdown."""
    about = f"{record['steps']:,} steps of 20 ms, {record['recordings']} recordings, {record['rounds']} interleaved rounds, one thread"
    parts = ["## Deployment", f"The shipped digit network, 8 bits, from frames; {about}."]
    parts += [record["note"]] if record.get("note") else []
    parts += ["All layers:", compared_table(record["whole"]), "The upper two layers, from spikes:", compared_table(record["upper"])]
    parts += ["Single steps in Python:", stepping_table(record["stepping"])]
    return "\n\n".join(parts) + "\n"


def compared_table(part: Record) -> str:
    """Times of a step, by contender."""
    lines = ["| | us per step | times dendrix in C, median (least to greatest) |", "|---" * 3 + "|"]
    for name, row in part["rows"].items():
        lines.append(f"| {name} | {row['us']:.2f} | {row['ratio']:.1f} ({row['ratio_least']:.1f} to {row['ratio_greatest']:.1f}) |")
    return "\n".join(lines + [f"\nNo result for {name}: {why}." for name, why in part["refused"].items()])


def stepping_table(steps: Record) -> str:
    """Single steps, by batch."""
    lines = ["| | us per step, batch 1 | us per row, batch 64 |", "|---" * 3 + "|"]
    names = dict.fromkeys(name.rpartition(", batch")[0] for name in steps)
    lines += [f"| {name} | {steps[f'{name}, batch 1']:.0f} | {steps[f'{name}, batch 64'] / 64:.1f} |" for name in names]
    return "\n".join(lines)
