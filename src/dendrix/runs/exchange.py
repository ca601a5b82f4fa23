"""Export of runs to files of other programs: NIR and ONNX."""

from pathlib import Path
from typing import Any, Literal

from ..core import Stateful
from ..core.files import expect_writable, write_atomic
from ..core.trust import Trust
from ..errors import InputError, InputTypeError
from ..exchange import read_graph, to_nir, to_onnx
from ..exchange.onnx_models import step_shape
from ..exchange.onnx_readme import readme
from ..pretrained import find_run
from ..run_folder import read_checkpoint, read_record
from ..run_folder.checkpoint import Checkpoint, holds_language_model
from ..run_folder.record import RUN

GRAPH = "graph.nir"
"""The graph that a run was imported from, in its folder."""
TOKENIZER = "tokenizer.json"


def export_nir(run: Path, out: Path, *, dt_ms: float | None = None, licence: str | None = None, trust: Trust = None) -> dict[str, int]:
    """Write the network of a run as a NIR graph. Learned delays become whole steps.

    Args:
        run: folder of the run, or the name of a shipped network.
        out: file to write.
        dt_ms: time step, in ms, if the layers do not define it.
        licence: licence of the network, for the metadata; they also get classes, encoder, and what the record of the run says of its
            training: recipe, digest of the data, accuracy on validation data.
        trust: package or file of classes that are not part of dendrix or torch.
    Returns:
        the numbers of nodes, edges and bytes.
    Raises:
        OSError, InputError: see `read_checkpoint` and `to_nir`.
    """
    expect_writable(out)
    checkpoint = read_checkpoint(run, trust=trust)
    facts = {"classes": list(checkpoint.labels), "encoder": checkpoint.encoder, **_training(run)}
    if licence is not None:
        facts["licence"] = licence
    graph = to_nir(checkpoint.model.eval(), out, dt_ms=dt_ms, shape=_shape(run), round_delays=True, facts=facts)
    return {"nodes": len(graph.nodes), "edges": len(graph.edges), "bytes": out.stat().st_size}


def export_onnx(
    run: Path, out: Path, *, form: Literal["step", "sequence"] = "step", int8: bool = False, trust: Trust = None
) -> dict[str, int]:
    """Write the network of a run as an ONNX model, and beside it a page that describes how to run it, and the tokenizer of a text network.

    Args:
        run, out, trust: as in `export_nir`; also the folder of a language model.
        form: one step with the state as input and output, or whole sequences.
        int8: keep weights as 8-bit integers.
    Returns:
        the numbers of operators and bytes.
    Raises:
        OSError: see `read_checkpoint` and `to_onnx`; or another file has the name of the page or the tokenizer.
        InputError: see `read_checkpoint` and `to_onnx`; or the model has the name of the page.
    """
    folder = find_run(run)
    page, tokenizer, words = _beside(out, ".md"), None, b""
    if (folder / TOKENIZER).is_file():
        tokenizer, words = _beside(out, f".{TOKENIZER}"), (folder / TOKENIZER).read_bytes()
    checkpoint = _checkpoint(folder, trust)
    found = _shape(run)
    shape = step_shape(checkpoint.model) if found is None else found
    model = to_onnx(checkpoint.model, out, form=form, shape=shape, int8=int8)
    if tokenizer is not None:
        write_atomic(tokenizer, words)
    if page is not None:
        name = None if tokenizer is None else tokenizer.name
        presented = getattr(checkpoint.model, "presented", None)
        told = readme(out.name, form, shape, checkpoint.labels, checkpoint.encoder, checkpoint.decision, name, presented)
        write_atomic(page, told.encode())
    return {"operators": len(model.graph.node), "bytes": out.stat().st_size}


def _checkpoint(folder: Path, trust: Trust) -> Checkpoint:
    """The network of a run: a classifier or a language model."""
    if not holds_language_model(folder):
        return read_checkpoint(folder, trust=trust)
    from ..models.spikegpt.hf_files import load_network  # imported late because transformers is optional

    network, _ = load_network(folder)
    if not isinstance(network, Stateful):
        raise InputTypeError(f"{folder}: expected a SpikeGPT, got {type(network).__name__}. transformers and optimum export it.")
    return Checkpoint(network, ())


def _training(run: Path) -> dict[str, Any]:
    """What the record of a run says of its training; nothing for a network that was saved without one."""
    folder = find_run(run)
    if not (folder / RUN).is_file():
        return {}
    record = read_record(folder)
    progress = record.get("progress") or {}
    told = {"recipe": record.get("name"), "data_sha256": record.get("data_sha256"), "validation_accuracy": progress.get("best_accuracy")}
    return {name: value for name, value in told.items() if value is not None}


def _beside(out: Path, suffix: str) -> Path | None:
    """The path of a file beside a model, checked before the work; a device or a pipe has none."""
    expect_writable(out)
    if out.exists() and not out.is_file():
        return None
    path = out.with_suffix(suffix)
    if path == out:
        raise InputError(f"{out}: expected a name for the model, but its page in Markdown takes it. Choose another, such as net.onnx.")
    expect_writable(path)
    if path.exists() and not out.exists():
        raise FileExistsError(f"{path}: expected this name to be free for a file beside the model, but it is in use. Choose another.")
    return path


def _shape(run: Path) -> tuple[int, ...] | None:
    """Return the shape of one step of the input, if the run was imported from NIR."""
    if not (run / GRAPH).is_file():
        return None
    graph = read_graph(run / GRAPH, strict=False)
    inputs = graph.of_type("Input")
    shape: tuple[int, ...] | None = graph.nodes[inputs[0]].shape if len(inputs) == 1 else None
    return shape
