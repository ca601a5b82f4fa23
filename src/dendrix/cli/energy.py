"""`dendrix energy`: energy estimate of a trained network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from ..progress import progress
from .output import print_json

if TYPE_CHECKING:
    from ..energy import Costs, Line, Metered

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Data = Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")]


def energy(
    run: Run,
    data: Data = None,
    spike_input: Path | None = None,
    split: Literal["train", "valid", "test"] = "valid",
    inputs: int = 64,
    root: Path | None = None,
    trust: str | None = None,
    mac_pj: float = 4.5,
    ac_pj: float = 0.9,
    json: bool = False,
) -> None:
    """Count the operations of a trained network and estimate their energy: as built, by the published formula, and with spike inputs.

    Args:
        run: folder that `dendrix train` or `dendrix convert` wrote, or the name of a shipped network: see `dendrix list`.
        data: your own data, used instead of a split: a text file for a language model, else as in `dendrix evaluate`. Without a data
            folder, a shipped network is measured on its samples.
        spike_input: run of the variant whose matrix products have spikes as inputs, such as `spikegpt-small:inputs`, for the third line.
        split: split of the data of the training.
        inputs: largest number of inputs to measure; for a text, windows.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        mac_pj: energy of a multiply-accumulate (MAC), in pJ.
        ac_pj: energy of an accumulate (AC), in pJ.
        json: print JSON, with every layer.
    """
    if inputs < 1:
        raise MisuseError(f"--inputs: expected at least 1, got {inputs}. Choose a larger number.")
    from ..energy import Costs, estimates
    from ..runs.energy import meter_run, on_samples

    costs = Costs(mac_pj, ac_pj)
    found, runs = [], [run] if spike_input is None else [run, spike_input]
    for folder in runs:
        with progress(folder.name, hidden=json) as bar:
            found.append(meter_run(folder, data, split=split, inputs=inputs, root=root, trust=trust, progress=bar.at))
    lines = estimates(*found)
    if json:
        print_json(_described(found, lines, costs))
        return
    console = Console()
    for metered, folder in zip(found, runs, strict=True):
        _print_layers(console, metered, folder, on_samples(folder, data, root))
    _print_lines(console, found[0], lines, costs)


def _print_layers(console: Console, metered: "Metered", folder: Path, on_samples: bool) -> None:
    """Print every matrix product and the firing rates."""
    report = metered.report
    what = " of its samples" if on_samples else ""
    title = f"{folder}, mean per {metered.unit} over {metered.units:,}{what}"
    table = Table("matrix product", "inputs", "rate", "operations", "weights read", title=title)
    for layer in report.layers:
        operations = layer.operations
        kind = "MAC" if layer.kind == "numbers" else "AC"
        count = (operations.macs + operations.acs) / metered.units
        size = f"{layer.weight_bytes / metered.units / 1e3:,.1f} kB"
        table.add_row(
            f"{layer.name} ({layer.module})" if layer.name else layer.module, layer.kind, f"{layer.rate:.1%}", f"{count:,.0f} {kind}", size
        )
    console.print(table)
    if report.rates:
        rates = Table("neurons", "firing rate", "never fired")
        for rate in report.rates:
            rates.add_row(rate.name, f"{rate.rate:.2%}", f"{rate.dead:.1%}")
        console.print(rates)
    if report.uncounted:
        console.print(f"Not counted, because the meter does not support them: {', '.join(report.uncounted)}.")


def _print_lines(console: Console, metered: "Metered", lines: "tuple[Line, ...]", costs: "Costs") -> None:
    """Print the estimates, beside that of the same network with a MAC for every weight."""
    dense = metered.report.dense.picojoules(costs) / metered.units
    table = Table(
        "estimate", f"nJ per {metered.unit}", "relative to all MACs", title=f"{costs.mac_pj} pJ for a MAC, {costs.ac_pj} pJ for an AC"
    )
    for line in lines:
        energy = line.picojoules(costs)
        shown = ("", "") if energy is None else (f"{energy / 1e3:,.2f}", f"{energy / dense:.1%}" if dense else "")
        table.add_row(line.title, *shown)
    console.print(table)
    for line in lines:
        console.print(f"{line.title}: {line.note.rstrip('.')}.")
    report = metered.report
    weights, activations = (size / metered.units / 1e3 for size in (report.weight_bytes, report.activation_bytes))
    traffic = f"{weights:,.1f} kB of weights and {activations:,.1f} kB of activations per {metered.unit}"
    console.print(f"Memory, as built: {traffic}; its energy is not counted.")


def _described(found: "list[Metered]", lines: "tuple[Line, ...]", costs: "Costs") -> dict[str, Any]:
    """Return everything as JSON values."""
    metered = found[0]
    return {
        "unit": metered.unit,
        "units": metered.units,
        "costs": {"mac_pj": costs.mac_pj, "ac_pj": costs.ac_pj},
        "lines": [
            {
                "counted": line.title,
                "macs": line.operations and line.operations.macs,
                "acs": line.operations and line.operations.acs,
                "picojoules": line.picojoules(costs),
                "note": line.note,
            }
            for line in lines
        ],
        "as_built": metered.report.to_dict(),
        "spike_input": found[1].report.to_dict() if len(found) > 1 else None,
    }
