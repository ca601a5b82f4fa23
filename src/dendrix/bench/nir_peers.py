"""Files of dendrix and random graphs in the libraries that read NIR, each in the Python that has it."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..exchange import Graph, build_graph, reading_of, write_nir
from ..layers import freeze
from . import nir_worker
from .nir_files import RATE, STEPS, File, files, random_graph, random_recurrent_graph

Record = dict[str, Any]
DIALECTS = {"nirtorch-dendrix": "dendrix", "spyx": "spyx-main"}
"""Dialects that are not called as their library."""
_START_S = 300
"""Seconds for an environment to start and import its libraries."""


@dataclass(frozen=True)
class Family:
    """Random graphs for a library."""

    library: str
    kind: str
    change: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        return " ".join([self.kind, *(f"{key} {value:g}" for key, value in self.change)])

    def graph(self, seed: int) -> Graph:
        """One graph."""
        return random_recurrent_graph(seed) if self.kind == "LIF with feedback" else random_graph(self.kind, seed, **dict(self.change))


_LOW = (("r", 1.0), ("v_threshold", 0.1))
FAMILIES = (
    Family("norse", "LIF"), Family("norse", "LIF", _LOW), Family("norse", "IF"), Family("norse", "CubaLIF"),
    Family("snntorch", "LIF"), Family("snntorch", "CubaLIF"),
    Family("spikingjelly", "LIF"), Family("spikingjelly", "LIF", _LOW), Family("spikingjelly", "IF"), Family("spikingjelly", "CubaLIF"),
    Family("sinabs", "LIF"), Family("sinabs", "IF"),
    Family("rockpool", "CubaLIF"),
    Family("spyx", "LIF"), Family("spyx", "IF"), Family("spyx", "CubaLIF"), Family("spyx", "LIF with feedback"),
    Family("nengo", "LIF"), Family("nengo", "LIF", _LOW),
    Family("lava", "LIF", _LOW), Family("lava", "CubaLIF"),
)  # fmt: skip


def environments(pythons: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The Python and the version of each library that is installed in one of the environments; the first that has it counts.

    Args:
        pythons: interpreters.
    Raises:
        InputError: one of them does not run.
    """
    found: dict[str, tuple[str, str]] = {}
    for python in pythons:
        try:
            ran = subprocess.run([python, nir_worker.__file__], capture_output=True, text=True, check=True, timeout=_START_S)
            versions = json.loads(ran.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise InputError(f"pythons: expected interpreters with numpy, got {python} ({error}).") from error
        found = {**{name: (python, version) for name, version in versions.items()}, **found}
    return {name: found[name] for name in nir_worker.LIBRARIES if name in found}


def measured(pythons: Sequence[str], graphs: int, limit_s: int, tell: Callable[[str], None]) -> Record:
    """What every installed library does with our files and with random graphs.

    Args:
        pythons: interpreters, see `environments`.
        graphs: number of random graphs of each family.
        limit_s: seconds after which a file in a library counts as not finished.
        tell: told about progress.
    """
    ours, found = [(file, file.graph()) for file in files()], Record()
    libraries = environments(pythons)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wanted = _write(folder, ours, graphs)
        for name, (python, version) in libraries.items():
            outputs, told = _run(python, name, folder, limit_s, tell)
            found[name] = {
                "version": version,
                "files": {file.name: _outcome(file, graph, name, wanted, outputs, told) for file, graph in ours},
                "random": {family.name: _random(family, graphs, outputs, told) for family in FAMILIES if family.library == name},
            }
    return found


def _write(folder: Path, ours: Sequence[tuple[File, Graph]], graphs: int) -> dict[str, Tensor]:
    """Files and inputs in the folder, their list, and our own outputs."""
    cases, wanted = list[Record](), dict[str, Tensor]()
    for i, (file, graph) in enumerate(ours):
        x = file.input()
        write_nir(graph, folder / f"file{i}.nir")
        np.save(folder / f"file{i}.npy", x.numpy())
        with torch.no_grad():
            wanted[file.name], _ = freeze(file.network)(x)
        cases.append(dict(name=file.name, library="", file=f"file{i}.nir", input=f"file{i}.npy", dt=file.dt_ms * 1e-3))
    for family in FAMILIES:
        for seed in range(graphs):
            name = f"{family.library} {family.name} {seed}"
            plain = name.replace(" ", "_")
            write_nir(family.graph(seed), folder / f"{plain}.nir")
            np.save(folder / f"{plain}.npy", random_input(seed).numpy())
            cases.append(dict(name=name, library=family.library, file=f"{plain}.nir", input=f"{plain}.npy", dt=1e-4))
    (folder / "cases.json").write_text(json.dumps(cases))
    return wanted


def random_input(seed: int) -> Tensor:
    """Spikes for a random graph, [1, T, 3]."""
    return (torch.rand(1, STEPS, 3, generator=torch.Generator().manual_seed(seed)) < RATE).float()


def _run(python: str, name: str, folder: Path, limit_s: int, tell: Callable[[str], None]) -> tuple[dict[str, Any], Record]:
    """What a library put out for each case, and what happened to the case; it has a process of its own."""
    tell(f"nir: {name}")
    cases = [case["name"] for case in json.loads((folder / "cases.json").read_text()) if case["library"] in ("", name)]
    words = [python, nir_worker.__file__, str(folder), name, str(limit_s)]
    try:
        subprocess.run(words, capture_output=True, text=True, check=True, timeout=_START_S + limit_s * len(cases))
    except subprocess.TimeoutExpired:
        tell(f"nir: {name} was stopped")
    except subprocess.CalledProcessError as error:
        reason = " ".join((error.stderr or str(error)).split())[-300:]
        raise InputError(f"nir: expected {name} to run, but {reason}. Take this Python out of --pythons.") from error
    report = folder / f"{name}.json"
    told: Record = {case: {"unfinished": limit_s} for case in cases} | (json.loads(report.read_text()) if report.is_file() else {})
    return {case: np.load(folder / what["output"]) for case, what in told.items() if "output" in what}, told


def _outcome(file: File, graph: Graph, name: str, wanted: dict[str, Tensor], outputs: dict[str, Any], told: Record) -> Record:
    """What a library does with a file of ours, and what our dialect of it says."""
    if "unfinished" in told[file.name]:
        return {"unfinished": told[file.name]["unfinished"]}
    dialect = _dialect(graph, name, file.dt_ms, file.input())
    if "error" in told[file.name]:
        return {"refuses": told[file.name]["error"], "dialect refuses": isinstance(dialect, str)}
    y = outputs[file.name]
    shown = {"ours": int((wanted[file.name] != 0).sum()), "values": wanted[file.name].numel(), "differ": _differ(y, wanted[file.name])}
    return {**shown, "differ from dialect": dialect if isinstance(dialect, str) else _differ(y, dialect)}


def _dialect(graph: Graph, library: str, dt_ms: float, x: Tensor, double: bool = False) -> Tensor | str:
    """The outputs in the dialect of a library, or why it has none."""
    name = DIALECTS.get(library, library)
    y: Tensor
    try:
        network = build_graph(graph, reading_of(graph, dt_ms, None if name in ("dendrix", "nirtorch") else name))
        with torch.no_grad():
            y, _ = (network.double() if double else network)(x.double() if double else x)
    except InputError as error:
        return str(error)
    return y


def _differ(found: Any, wanted: Tensor) -> int | None:
    """At how many places outputs differ, by more than a rounding; None if there are others."""
    y = torch.as_tensor(np.asarray(found)).to(wanted.dtype)
    return int((~torch.isclose(y, wanted, rtol=1e-4, atol=1e-5)).sum()) if y.shape == wanted.shape else None


def _random(family: Family, graphs: int, outputs: dict[str, Any], told: Record) -> Record:
    """Spikes of a library beside those of its dialect."""
    spikes = values = differ = 0
    for seed in range(graphs):
        name = f"{family.library} {family.name} {seed}"
        if "unfinished" in told[name]:
            return {"unfinished": told[name]["unfinished"]}
        if "error" in told[name]:
            return {"refuses": told[name]["error"]}
        graph = family.graph(seed)
        # rockpool guesses a time step; nengo and lava compute in float64.
        dt = _guessed(graph) if family.library == "rockpool" else 1e-4
        y = _dialect(graph, family.library, dt * 1e3, random_input(seed), family.library in ("nengo", "lava"))
        if isinstance(y, str):
            return {"dialect refuses": y}
        spikes += int((outputs[name] != 0).sum())
        values += y.numel()
        differ += _differ(outputs[name], y) or 0
    return {"graphs": graphs, "spikes": spikes, "values": values, "differ": differ}


def _guessed(graph: Graph) -> float:
    node = graph.nodes["n"].params
    return float((node["tau_mem"] / (1 + node["r"])).min())
