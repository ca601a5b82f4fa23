"""`dendrix energy`: energy estimate of a trained network, beside a dense network of the same shape."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from ..progress import progress
from .output import print_json

if TYPE_CHECKING:
    from ..energy import Comparison, Estimate, Line, Metered, Range

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Data = Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")]


def energy(
    run: Run,
    data: Data = None,
    hardware: str = "45nm",
    numbers: Literal["int8", "int32", "float32"] | None = None,
    reuse: Literal["full", "none"] | None = None,
    bits: int | None = None,
    policy: Path | None = None,
    spike_input: Path | None = None,
    split: Literal["train", "valid", "test"] = "valid",
    inputs: int = 64,
    root: Path | None = None,
    trust: str | None = None,
    figure: Path | None = None,
    json: bool = False,
) -> None:
    """Estimate the energy of a trained network, memory included, and the firing rate up to which spikes pay.

    It is compared with its twin, the dense quantised network of the same shape.

    Args:
        run: folder that `dendrix train` or `dendrix convert` wrote, or the name of a shipped network: see `dendrix list`.
        data: your own data, used instead of a split: a text file for a language model, else as in `dendrix evaluate`. Without a data
            folder, a shipped network is measured on its samples.
        hardware: hardware model, one of 45nm, 7nm, cortex-m4, loihi, spinnaker2-prototype, lemaire-2022 and spikegpt-paper, or a TOML file
            of the same form.
        numbers: format of weights and activations; by default the first of the hardware model.
        reuse: how often a value moves, "full" (once per step and product) or "none" (for every operation); by default as in the hardware
            model.
        bits: bits of the activations of the twin; by default as many as the steps of a still image tell apart, else 8.
        policy: exit policy, a file or the folder of a run; steps after the exit of an input are not counted.
        spike_input: for a SpikeGPT, run of the variant whose matrix products have spikes as inputs, such as `spikegpt-small:inputs`.
        split: split of the data of the training.
        inputs: largest number of inputs to measure; for a text, windows.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        figure: figure to write, such as energy.png.
        json: print JSON, with every layer.
    """
    if inputs < 1:
        raise MisuseError(f"--inputs: expected at least 1, got {inputs}. Choose a larger number.")
    if bits is not None and not 1 <= bits <= 32:
        raise MisuseError(f"--bits: expected 1 to 32, got {bits}. Choose the precision of the activations of the twin.")
    from ..core.files import expect_writable
    from ..energy import estimates, load_hardware
    from ..runs.energy import meter_run, on_samples

    if figure is not None:
        expect_writable(figure)
    machine = load_hardware(hardware)
    machine = machine if reuse is None else replace(machine, reuse=reuse)
    machine.costs(numbers or machine.default_numbers())  # an error before the measurement
    found, runs = [], [run] if spike_input is None else [run, spike_input]
    for folder in runs:
        with progress(folder.name, hidden=json) as bar:
            found.append(meter_run(folder, data, split=split, inputs=inputs, root=root, trust=trust, policy=policy, progress=bar.at))
    compared = found[0].compare(machine, numbers, bits)
    lines = estimates(*found) if _has_formula(found) else ()
    if figure is not None:
        _save(figure, run.name, found[0], compared)
    if json:
        print_json(_described(found, lines, compared))
        return
    console = Console()
    for metered, folder in zip(found, runs, strict=True):
        _print_layers(console, metered, folder, on_samples(folder, data, root))
    _print_comparison(console, found[0], compared, bits)
    if lines:
        _print_lines(console, found[0], lines)


def _has_formula(found: "list[Metered]") -> bool:
    """Whether a paper has a formula for this network, or a variant was given."""
    from ..energy import formula

    return len(found) > 1 or formula(found[0].model, found[0].report) is not None


def _save(figure: Path, name: str, metered: "Metered", compared: "Comparison") -> None:
    """Write the stacked bars of the network and of its twin."""
    from ..plot import energy_terms, save_figure

    bars = {name: compared.spiking} | ({} if compared.twin is None else {"twin": compared.twin})
    shown = {label: {term: energy.middle for term, energy in one.terms.items()} for label, one in bars.items()}
    axis = energy_terms(shown, metered.unit, title=f"Energy on {compared.spiking.hardware.name}, estimated")
    save_figure(axis.figure, figure)


def _print_layers(console: Console, metered: "Metered", folder: Path, on_samples: bool) -> None:
    """Print every matrix product and the firing rates."""
    report = metered.report
    what = " of its samples" if on_samples else ""
    title = f"{folder}, mean per {metered.unit} over {metered.units:,}{what}"
    table = Table("matrix product", "inputs", "rate", "operations", title=title)
    for layer in report.layers:
        operations = layer.operations
        kind = "MAC" if layer.kind == "numbers" else "AC"
        count = (operations.macs + operations.acs) / metered.units
        name = f"{layer.name} ({layer.module})" if layer.name else layer.module
        table.add_row(name, layer.kind, f"{layer.rate:.1%}", f"{count:,.0f} {kind}")
    console.print(table)
    if report.rates:
        rates = Table("neurons", "firing rate", "never fired")
        for rate in report.rates:
            rates.add_row(rate.name, f"{rate.rate:.2%}", f"{rate.dead:.1%}")
        console.print(rates)
    if report.uncounted:
        console.print(f"Not counted, because the meter does not support them: {', '.join(report.uncounted)}.")


def _print_comparison(console: Console, metered: "Metered", compared: "Comparison", bits: int | None) -> None:
    """Print the energy by term and by level of the memory, beside that of the twin, and the verdict."""
    from ..energy import ZERO, make_twin, verdict

    spiking, dense = compared.spiking, compared.twin
    made = make_twin(metered.report, metered.repeated, bits)
    terms = Table("term", f"nJ per {metered.unit}", "twin, nJ", title=f"{spiking.hardware.title}, {spiking.numbers}")
    names = dict.fromkeys([*spiking.terms, *(dense.terms if dense else ())])
    for name in names:
        terms.add_row(name, _nj(spiking.terms.get(name, ZERO)), "" if dense is None else _nj(dense.terms.get(name, ZERO)))
    terms.add_section()
    terms.add_row("all", _nj(spiking.total), "" if dense is None else _nj(dense.total))
    console.print(terms)
    if spiking.levels:
        levels = Table("memory", f"bytes per {metered.unit}", "nJ", "twin, bytes", "twin, nJ")
        for name in dict.fromkeys([*spiking.levels, *(dense.levels if dense else ())]):
            row = [name]
            for one in (spiking, dense):
                size, energy = one.levels.get(name, (0.0, ZERO)) if one else (0.0, ZERO)
                row += [f"{size:,.0f}", _nj(energy)]
            levels.add_row(*row)
        console.print(levels)
    console.print(verdict(compared))
    if dense is not None:
        console.print(f"Twin: {made.assumption}.")
    console.print(f"Figures: {spiking.hardware.source}.")
    if spiking.left_out:
        console.print(f"Not contained: {'; '.join(spiking.left_out)}.")


def _nj(energy: "Range") -> str:
    low, high = f"{energy.low / 1e3:,.2f}", f"{energy.high / 1e3:,.2f}"
    return low if low == high else f"{low} to {high}"


def _print_lines(console: Console, metered: "Metered", lines: "tuple[Line, ...]") -> None:
    """Print the estimates of operations only, as in the paper of SpikeGPT, beside that of the same network with a MAC for every weight."""
    from ..energy import Costs

    costs = Costs()
    dense = metered.report.dense.picojoules(costs) / metered.units
    title = f"Operations only, as in the paper: {costs.mac_pj} pJ for a MAC, {costs.ac_pj} pJ for an AC"
    table = Table("estimate", f"nJ per {metered.unit}", "relative to all MACs", title=title)
    for line in lines:
        energy = line.picojoules(costs)
        shown = ("", "") if energy is None else (f"{energy / 1e3:,.2f}", f"{energy / dense:.1%}" if dense else "")
        table.add_row(line.title, *shown)
    console.print(table)
    for line in lines:
        console.print(f"{line.title}: {line.note.rstrip('.')}.")


def _described(found: "list[Metered]", lines: "tuple[Line, ...]", compared: "Comparison") -> dict[str, Any]:
    """Return everything as JSON values."""
    from ..energy import Costs, verdict

    metered, ratio, even = found[0], compared.ratio, compared.break_even
    return {
        "unit": metered.unit,
        "units": metered.units,
        "steps": metered.report.steps / metered.report.inputs,
        "spiking": compared.spiking.to_dict(),
        "twin": _optional(compared.twin),
        "ratio": None if ratio is None else list(ratio),
        "break_even": None if even is None else even.to_dict(),
        "verdict": verdict(compared),
        "lines": [
            {
                "counted": line.title,
                "macs": line.operations and line.operations.macs,
                "acs": line.operations and line.operations.acs,
                "picojoules": line.picojoules(Costs()),
                "note": line.note,
            }
            for line in lines
        ],
        "as_built": metered.report.to_dict(),
        "spike_input": found[1].report.to_dict() if len(found) > 1 else None,
    }


def _optional(estimate: "Estimate | None") -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()
