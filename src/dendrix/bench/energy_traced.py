"""Instructions and memory accesses of the exported C code for a synaptic operation, counted by callgrind."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import encoder_from_dict, read_wav
from ..deploy import Deployed, IntegerNetwork, export_c, quantise
from ..models import Decision
from ..run_folder import load
from ..run_folder.checkpoint import load_checkpoint
from ..samples import find_sample, samples

Record = dict[str, Any]
EVENTS = ("Ir", "Dr", "Dw", "D1mr", "D1mw")
"""Instructions, reads and writes of data, and those that miss the first-level cache."""
_EXPECTED = {"Dr": 3.0, "Dw": 1.0}
"""Accesses for an addition in the counts of `dendrix.energy` without reuse: its weight, its delay and its sum; and the sum."""


def measured(smoke: bool = False) -> Record:
    """Run the shipped digit network, exported to C, under callgrind on samples of different activity.

    Args:
        smoke: three recordings.
    Returns:
        counts for a synaptic operation and for a time step, from a linear fit over the recordings; or why there are none.
    """
    tools = {name: shutil.which(name) for name in ("gcc", "valgrind")}
    if missing := [name for name, path in tools.items() if path is None]:
        return {"refused": f"there is no {' and no '.join(missing)}"}
    encoder = encoder_from_dict(load_checkpoint("fsdd").encoder or {})
    sounds = [encoder.encode(read_wav(find_sample(name))[0]) for name in samples()[: 3 if smoke else None]]
    network = quantise(load("fsdd"), [sound[None] for sound in sounds], weights=8)
    clips = [network.inputs.whole(sound).numpy() for sound in sounds]
    with tempfile.TemporaryDirectory() as place:
        program = _compiled(Path(place), network, clips[0])
        counts = np.array([_counted(program, clip) for clip in clips], float)
    operations = [network.run(torch.from_numpy(clip)[None])[2].numpy()[..., 1:].sum() for clip in clips]
    design = np.stack([np.array(operations, float), np.array([len(clip) for clip in clips], float), np.ones(len(clips))], 1)
    fitted, *_ = np.linalg.lstsq(design, counts, rcond=None)
    off = np.abs(design @ fitted - counts) / counts
    return {
        "recordings": len(clips),
        "per_operation": dict(zip(EVENTS, fitted[0].tolist(), strict=True)),
        "per_step": dict(zip(EVENTS, fitted[1].tolist(), strict=True)),
        "expected": _EXPECTED,
        "largest_error": dict(zip(EVENTS, off.max(0).tolist(), strict=True)),
    }


def _compiled(folder: Path, network: IntegerNetwork, frames: NDArray[np.int64]) -> Path:
    """The program of the export that reads frames."""
    labels = tuple(str(k) for k in range(network.forms[-1].outputs))
    export_c(Deployed(network, labels, Decision("sum")), folder / "c", [frames.ravel()])
    command = ["gcc", "-std=c99", "-O2", "-o", "program", "main.c", "dendrix.c", "model.c"]
    subprocess.run(command, cwd=folder / "c", check=True, capture_output=True)
    return folder / "c/program"


def _counted(program: Path, frames: NDArray[np.int64]) -> list[int]:
    """Events of a run over frames."""
    out = program.with_name("callgrind.out")
    command = ["valgrind", "--tool=callgrind", "--cache-sim=yes", f"--callgrind-out-file={out}", str(program)]
    subprocess.run(command, input=frames.astype("<i2").tobytes(), check=True, capture_output=True)
    lines = dict(line.split(":", 1) for line in out.read_text().splitlines() if line.startswith(("events:", "summary:", "totals:")))
    totals = lines.get("totals", lines.get("summary", ""))
    found = dict(zip(lines["events"].split(), map(int, totals.split()), strict=False))
    return [found[name] for name in EVENTS]


def table(found: Record) -> str:
    """The counts as a table in Markdown."""
    if "refused" in found:
        return f"Not measured: {found['refused']}."
    lines = ["| x86, gcc -O2 | for a synaptic operation | counted without reuse | for a time step |", "|---|---|---|---|"]
    for event, name in (("Ir", "instructions"), ("Dr", "reads of data"), ("Dw", "writes of data")):
        expected = f"{found['expected'][event]:g}" if event in found["expected"] else ""
        lines.append(f"| {name} | {found['per_operation'][event]:.2f} | {expected} | {found['per_step'][event]:,.0f} |")
    misses = found["per_operation"]["D1mr"] + found["per_operation"]["D1mw"]
    return "\n".join([*lines, "", f"Of all accesses of an operation, {misses:.3f} miss the first-level cache: the network fits into it."])
