"""`dendrix export`: a trained network for other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro

from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Target = Literal["nir", "onnx"]


def export(run: Run, to: Target, out: Path, trust: str | None = None, json: bool = False) -> None:
    """Write a trained network for other programs, after a test that it computes the same there.

    Args:
        run: a folder that `dendrix train`, `convert` or `nir import` wrote, or the name of a network that comes with dendrix, such as fsdd.
        to: nir, for other spiking libraries and chips; or onnx, for onnxruntime and others: one step, with its state going in and out.
        out: the file to write.
        trust: the package or Python file of classes that are not of dendrix or torch.
        json: print JSON.
    """
    facts = TARGETS[to](run, out, trust)
    if json:
        print_json({"file": str(out), **facts})
        return
    print(f"Wrote {out}: {', '.join(f'{value:,} {name}' for name, value in facts.items())}.")


def _nir(run: Path, out: Path, trust: str | None) -> dict[str, Any]:
    """Write NIR; learned delays are rounded, as the run is deployed."""
    from ..exchange import to_nir
    from ..run_folder import read_checkpoint

    checkpoint = read_checkpoint(run, trust=trust)
    facts = {"classes": list(checkpoint.labels), "encoder": checkpoint.encoder}
    graph = to_nir(checkpoint.model.eval(), out, round_delays=True, facts=facts)
    return {"nodes": len(graph.nodes), "edges": len(graph.edges), "bytes": out.stat().st_size}


def _onnx(run: Path, out: Path, trust: str | None) -> dict[str, Any]:
    raise NotImplementedError


TARGETS: dict[str, Callable[[Path, Path, str | None], dict[str, Any]]] = {"nir": _nir, "onnx": _onnx}
"""How each target is written: (run, file, trust) -> facts to print."""
assert set(TARGETS) == set(get_args(Target))
