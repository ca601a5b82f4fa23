"""Networks of other libraries: check what a NIR file means, and import it as a run."""

import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError
from .output import print_json

if TYPE_CHECKING:
    from ..exchange import Comparison, Graph

File = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
ResetName = Literal["hard", "soft"]
GainName = Literal["nir", "dt/tau", "unit"]


def import_(
    file: File,
    out: Path,
    dt_ms: float | None = None,
    dialect: str | None = None,
    reset: ResetName | None = None,
    gain: GainName | None = None,
    lenient: bool = False,
    json: bool = False,
) -> None:
    """Make a run of a NIR file, with the file beside the network.

    Args:
        file: a .nir file.
        out: folder of the run, which must not exist.
        dt_ms: time step, in ms; by default the one in the metadata of the file.
        dialect: whose arithmetic to use, as `dendrix nir check` lists them; by default that of NIR.
        reset: what a spike does to a membrane; NIR does not say.
        gain: how input moves a membrane: as NIR's equations have it, by dt/tau without r, or by its value (unit).
        lenient: where the file is incomplete or contradicts itself, assume what is likely and say so.
        json: print JSON.
    """
    from ..core.files import read_bytes, write_atomic
    from ..exchange import from_nir
    from ..run_folder import save
    from ..run_folder.record import expect_new, new_folder
    from ..runs.exchange import GRAPH

    expect_new(out)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        network = from_nir(file, dt_ms, dialect, reset, gain=gain, strict=not lenient)
    with new_folder(out) as made:
        save(network, made)
        write_atomic(made / GRAPH, read_bytes(file))
    notes = [str(note.message) for note in told]
    if json:
        print_json({"folder": str(out), "notes": notes, "parameters": sum(p.numel() for p in network.parameters())})
        return
    print("\n".join([*notes, f"Saved in {out}. Load it: dendrix.load('{out}')"]))


def check(
    file: File,
    dt_ms: float | None = None,
    data: Path | None = None,
    reset: ResetName | None = None,
    gain: GainName | None = None,
    steps: int = 100,
    rows: int = 4,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Show a NIR file, what it leaves open, and where the libraries that read it would part.

    Args:
        file: a .nir file; what it lacks is assumed, and told.
        dt_ms: time step, in ms; by default the one in the metadata of the file. Without one nothing is run.
        data: input [B, T, ...], an .npy or the array x of an .npz; by default random spikes.
        reset: what a spike does in the reference.
        gain: how input moves a membrane in the reference.
        steps: number of steps of the random input.
        rows: number of rows of the random input.
        seed: seed of the random input.
        json: print JSON.
    """
    from ..exchange import compare, read_graph

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        graph = read_graph(file, strict=False)
        known = dt_ms is not None or "dendrix" in graph.metadata
        given = None if data is None else _input(data)
        compared = compare(graph, dt_ms, given, reset=reset, gain=gain, rows=rows, steps=steps, seed=seed) if known else None
    notes = list(dict.fromkeys(str(note.message) for note in told))
    if json:
        print_json({**_described(graph), "notes": notes, "compared": compared and asdict(compared)})
        return
    console = Console()
    _show_graph(console, graph, notes)
    if compared is None:
        console.print("Open: the time step, which NIR does not say. Give --dt-ms to run the graph in all dialects.")
    else:
        _show(console, compared)


def _input(path: Path) -> Any:
    from ..core.archives import read_npy, read_npz
    from ..data.given import tensor_of

    if path.suffix != ".npz":
        return tensor_of(read_npy(path, "an .npy, or an .npz with x, [B, T, ...]"), str(path))
    arrays = read_npz(path, ["x"], "an .npy, or an .npz with x, [B, T, ...]")
    if "x" not in arrays:
        raise InputError(f"{path}: expected an array 'x' of [B, T, ...], which is missing. Save it with numpy.savez.")
    return tensor_of(arrays["x"], f"{path}: x")


def _described(graph: "Graph") -> dict[str, Any]:
    nodes = {
        name: {"type": node.type, "shapes": {p: list(getattr(v, "shape", ())) for p, v in node.params.items()}}
        for name, node in graph.nodes.items()
    }
    return {"nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


def _show_graph(console: Console, graph: "Graph", notes: list[str]) -> None:
    """The drawing, the table, and what was assumed."""
    from ..exchange.drawing import draw
    from ..exchange.drawing import rows as described
    from ..exchange.graph import without_passages

    graph = without_passages(graph)
    for line in draw(graph):
        console.print(line, highlight=False)
    table = Table("node", "type", "parameters")
    for row in described(graph):
        table.add_row(*row)
    console.print(table)
    for note in notes:
        console.print(f"Note: {note}", highlight=False)


def _show(console: Console, compared: "Comparison") -> None:
    """Every dialect beside the reference, and the causes."""
    title = f"{compared.rows} inputs, {compared.steps} steps of {compared.dt_ms:g} ms; reference: {compared.reference}"
    table = Table("dialect", "layer", "spikes", "differ", "late", "first at (row, step, neuron)", "decisions changed", title=title)
    for found in compared.dialects:
        if found.refused is not None:
            table.add_row(found.dialect, "", "", "", "", found.refused.partition("but ")[2] or found.refused, "")
        for position, layer in enumerate(found.layers):
            first = "" if layer.first is None else f"({', '.join(map(str, layer.first))})"
            changed = "" if found.changed is None or position else f"{found.changed} of {compared.rows}"
            name = "" if position else found.dialect
            table.add_row(name, layer.name, f"{layer.spikes:,}", f"{layer.mismatches:,}", str(layer.shift), first, changed)
    console.print(table)
    for cause in compared.causes:
        console.print(cause, highlight=False)


COMMANDS: dict[str, Callable[..., Any]] = {"check": check, "import": import_}
