"""`dendrix export`: a trained network for other programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..checks import suggestion
from ..errors import MisuseError
from .nir import GRAPH
from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Form = Literal["step", "sequence"]


@dataclass(frozen=True)
class Asked:
    """What to export, and how."""

    run: Path
    out: Path
    trust: str | None
    dt_ms: float | None
    form: Form
    int8: bool


def export(
    run: Run,
    to: str,
    out: Path,
    dt_ms: float | None = None,
    form: Form = "step",
    int8: bool = False,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Write a trained network for other programs, after a test that it computes the same there. Learned delays become whole steps.

    Args:
        run: a folder that `dendrix train`, `convert` or `nir import` wrote, or the name of a network that comes with dendrix, such as fsdd.
        to: nir, for other spiking libraries and chips; or onnx, for onnxruntime and others.
        out: the file to write.
        dt_ms: for nir, the time step, in ms, where the layers do not say.
        form: for onnx, one step with its state going in and out, or whole sequences.
        int8: for onnx, keep weights as 8-bit integers.
        trust: the package or Python file of classes that are not of dendrix or torch.
        json: print JSON.
    """
    if to not in TARGETS:
        raise MisuseError(f"--to: expected one of {', '.join(TARGETS)}, got '{to}'.{suggestion(to, TARGETS)}")
    facts = TARGETS[to](Asked(run, out, trust, dt_ms, form, int8))
    if json:
        print_json({"file": str(out), **facts})
        return
    print(f"Wrote {out}: {', '.join(f'{value:,} {name}' for name, value in facts.items())}.")


def _nir(asked: Asked) -> dict[str, Any]:
    from ..exchange import to_nir

    checkpoint = _checkpoint(asked)
    facts = {"classes": list(checkpoint.labels), "encoder": checkpoint.encoder}
    graph = to_nir(checkpoint.model.eval(), asked.out, dt_ms=asked.dt_ms, shape=_shape(asked), round_delays=True, facts=facts)
    return {"nodes": len(graph.nodes), "edges": len(graph.edges), "bytes": asked.out.stat().st_size}


def _onnx(asked: Asked) -> dict[str, Any]:
    from ..core.files import write_atomic
    from ..exchange import to_onnx
    from ..exchange.exporter import input_shape
    from ..exchange.onnx_readme import readme

    checkpoint = _checkpoint(asked)
    shape = _shape(asked) or input_shape(checkpoint.model)
    model = to_onnx(checkpoint.model, asked.out, form=asked.form, shape=shape, int8=asked.int8)
    page = readme(asked.out.name, asked.form, shape, checkpoint.labels, checkpoint.encoder)
    write_atomic(asked.out.with_suffix(".md"), page.encode())
    return {"operators": len(model.graph.node), "bytes": asked.out.stat().st_size}


def _checkpoint(asked: Asked) -> Any:
    from ..run_folder import read_checkpoint

    return read_checkpoint(asked.run, trust=asked.trust)


def _shape(asked: Asked) -> tuple[int, ...] | None:
    """The shape of one step of the input, if the run was imported from NIR."""
    if not (asked.run / GRAPH).is_file():
        return None
    from ..exchange import read_graph

    graph = read_graph(asked.run / GRAPH, strict=False)
    inputs = graph.of_type("Input")
    return graph.nodes[inputs[0]].shape if len(inputs) == 1 else None


TARGETS: dict[str, Callable[[Asked], dict[str, Any]]] = {"nir": _nir, "onnx": _onnx}
"""How each target is written; returns facts to print."""
