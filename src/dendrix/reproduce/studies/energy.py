"""Energy of the shipped networks beside their dense twins, with memory traffic; a study of this project.

A cell is a network, with or without early exits; the trained twin of a network; a convolution; or a comparison with other counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...bench import energy_peers, energy_rapl, energy_traced
from ...energy import Hardware, Metered, compare, hardware_names, load_hardware, make_twin, measure, twin_network, verdict
from ...layers import PerStep, Sequential
from ...neurons import IF
from ...plot import energy_terms, save_figure
from ...pretrained import find_run, shipped
from ...recipes import find_recipe
from ...run_folder.record import read_record
from ...runs.energy import meter_run, on_samples
from ...runs.evaluation import evaluate_run
from ...runs.opened import Split, open_run
from ...train import fit
from ..claim import Checked
from ..study import Cell, Results, Study
from . import energy_page

EXITS = "exits"
STEPS = (1, 2, 4, 5, 8, 16, 32)
CHANNELS, SIDE, RATE = 64, 16, 0.1
"""Size of the convolution, and the rate at which its spikes are drawn."""
_INPUTS = 64
_SPLITS: tuple[Split, ...] = ("valid", "test")
_TWIN = "fsdd"


def cells(_: Path) -> list[Cell]:
    """All networks, the twin, and the comparisons."""
    names = sorted(shipped())
    with_exits = [name for name in names if (find_run(name) / "policy.json").exists()]
    return [
        *(Cell(name, ("network", name), _score_network) for name in names),
        *(Cell(f"{name}-{EXITS}", ("network", f"{name}, with early exits"), _score_network) for name in with_exits),
        Cell(f"twin-{_TWIN}", ("twin", _TWIN), _score_shipped_twin),
        Cell("twin-commands", ("twin", "commands"), _score_trained_twin, _few_words(), "commands-delays:words20"),
        Cell("twin-cifar10", ("twin", "cifar10"), _score_converted),
        Cell("convolution", ("convolution",), _score_convolution),
        Cell("peers", ("peers",), _score_peers),
        Cell("traced", ("traced",), _score_traced),
        Cell("rapl", ("rapl",), _score_rapl),
    ]


def _few_words() -> Any:
    """The recipe of twenty commands with a delay for each neuron, trained briefly."""
    recipe: Any = find_recipe("commands-delays:words20")()
    model = replace(recipe.model, granularity="axonal")
    return replace(recipe, model=model, budget=replace(recipe.budget, epochs=energy_page.EPOCHS))


def machines() -> Iterator[tuple[str, Hardware]]:
    """All hardware models; those of accelerators with both kinds of reuse."""
    for name in hardware_names():
        machine = load_hardware(name)
        yield name, machine
        if machine.reuse == "full" and not machine.memory_included:
            yield f"{name}, no reuse", replace(machine, reuse="none")


def _score_network(cell: Cell, _: Path) -> Results:
    name = Path(cell.name.removesuffix(f"-{EXITS}"))
    metered = meter_run(name, inputs=_INPUTS, policy=name if cell.name.endswith(EXITS) else None)
    return {"samples": on_samples(name), **network_results(metered)}


def network_results(metered: Metered) -> Results:
    """Return the energies of a measured network and of its twin on all hardware models.

    Args:
        metered: the network.
    """
    report = metered.report
    share = sum(layer.dense for layer in report.layers if layer.spiking) / report.dense.macs
    found: Results = {"unit": metered.unit, "units": metered.units, "steps": report.steps / report.inputs, "rate": report.rate}
    found |= {"spiking_share": share, "twin": make_twin(report, metered.repeated).assumption, "on": {}}
    for name, machine in machines():
        if not machine.has_macs and not report.operations.acs:
            continue
        compared = metered.compare(machine)
        ratio, even = compared.ratio, compared.break_even
        found["on"][name] = {
            "spiking": compared.spiking.to_dict(),
            "twin": None if compared.twin is None else compared.twin.to_dict(),
            "ratio": None if ratio is None else list(ratio),
            "break_even": None if even is None else even.to_dict(),
            "verdict": verdict(compared),
        }
    return found


def _score_shipped_twin(_: Cell, folder: Path) -> Results:
    """Train the twin of the shipped digit network by its recipe, and measure both."""
    return twin_results(find_recipe(f"{_TWIN}-delays")(), Path(_TWIN), folder / "run")


def _score_trained_twin(cell: Cell, folder: Path) -> Results:
    """Train the twin of the network of this cell by the same recipe, and measure both."""
    return twin_results(cell.recipe, folder, folder / "twin")


def _score_converted(cell: Cell, _: Path) -> Results:
    """Accuracy of the shipped image network and of the quantised network that it was converted from, as recorded at the conversion."""
    found = read_record(find_run(cell.key[1]))["conversion"]
    return {
        "images": found["compared_on"]["images"],
        "accuracy": {"spiking": {"valid": found["accuracy"][-1]}, "twin": {"valid": found["ann_accuracy"]}},
    }


def twin_results(recipe: Any, spiking: Path, folder: Path) -> Results:
    """Train the twin of a network in a folder, or continue its training, and return the multiplications and accuracies of both.

    Args:
        recipe: recipe of the network, whose data, epochs and seed are those of the twin.
        spiking: run of the network.
        folder: run of the twin.
    """
    torch.manual_seed(recipe.seed)
    twin = twin_network(recipe.model.build())
    settings = {name: getattr(recipe, name) for name in ("decision", "optim", "budget", "augment", "early")}
    fit(twin, recipe.data, folder=folder, seed=recipe.seed, resume=folder.exists(), quiet=True, **settings)
    opened = open_run(folder, "valid")
    own = measure(opened.network, opened.sample(_INPUTS))
    shipped_run = open_run(spiking, "valid")
    derived = make_twin(measure(shipped_run.network, shipped_run.sample(_INPUTS)), None).report
    accuracies = {
        name: {split: evaluate_run(run, split).accuracy for split in _SPLITS} for name, run in (("spiking", spiking), ("twin", folder))
    }
    return {"macs": own.dense.macs / own.inputs, "derived_macs": derived.dense.macs / derived.inputs, "accuracy": accuracies}


def _score_convolution(_: Cell, __: Path) -> Results:
    return {name: break_even_by_steps(machine, STEPS) for name, machine in machines() if machine.has_macs}


def break_even_by_steps(machine: Hardware, steps: tuple[int, ...]) -> dict[str, list[float | None]]:
    """Return break-even rates of a convolution with spikes as inputs and integrate-and-fire neurons, by the number of steps of an image.

    Args:
        machine: hardware model.
        steps: numbers of steps.
    """
    torch.manual_seed(0)
    layer = Sequential(PerStep(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)), IF(CHANNELS, v_threshold=1e9))
    rates: dict[str, list[float | None]] = {}
    for count in steps:
        x = (torch.rand(1, count, CHANNELS, SIDE, SIDE) < RATE).float()
        even = compare(measure(layer, [x]), machine, repeated=count).break_even
        rates[str(count)] = [] if even is None else list(even.rate)
    return rates


def _score_peers(_: Cell, __: Path) -> Results:
    return energy_peers.measured()


def _score_traced(_: Cell, __: Path) -> Results:
    return energy_traced.measured()


def _score_rapl(_: Cell, __: Path) -> Results:
    return energy_rapl.measured()


def results(known: Mapping[tuple[str, ...], Any]) -> Results:
    """The outcomes by kind of cell."""
    found: Results = {"networks": {key[1]: outcome for key, outcome in known.items() if key[0] == "network"}}
    found["twins"] = {key[1]: outcome for key, outcome in known.items() if key[0] == "twin"}
    return found | {key[0]: outcome for key, outcome in known.items() if key[0] not in ("network", "twin")}


def check(found: Results) -> list[Checked]:
    """Check that the counts agree with those of others."""
    checked = []
    for name, library in found.get("peers", {}).items():
        for row in library.get("rows", []):
            checked.append(_checked(name, row["what"], row["theirs"], row["ours"], 1e-6))
    if "expected" in (traced := found.get("traced", {})):
        for event, expected in traced["expected"].items():
            checked.append(_checked("callgrind", f"{event} for a synaptic operation", expected, traced["per_operation"][event], 0.1))
    for name, twin in found.get("twins", {}).items():
        if "macs" in twin:
            checked.append(_checked(f"trained twin, {name}", "multiplications of an input", twin["macs"], twin["derived_macs"], 1e-9))
    return checked


def _checked(where: str, says: str, theirs: float, ours: float, tolerance: float) -> Checked:
    off = ours / theirs - 1
    near = abs(off) <= tolerance
    return Checked(where, says, f"{theirs:.6g}", where, ours, f"{'agrees' if near else 'differs'}: {off:+.2%}", "", near)


def draw(found: Results, out: Path) -> None:
    """Draw the terms of each network, with and without early exits, and of its twin, in parts of the twin."""
    bars: dict[str, dict[str, float]] = {}
    for name, network in found["networks"].items():
        if name.endswith("exits"):
            continue
        row = network["on"][energy_page.FIRST]
        shown = {name: row["spiking"], f"{name}: twin": row["twin"]}
        if exits := found["networks"].get(f"{name}, with early exits"):
            shown = {
                name: row["spiking"],
                f"{name}, with early exits": exits["on"][energy_page.FIRST]["spiking"],
                f"{name}: twin": row["twin"],
            }
        scale = 2e5 / sum(row["twin"]["picojoules"])  # in % of the middle of the twin, with the factor of 1e3 of the axis
        bars |= {label: {term: scale * sum(ends) / 2 for term, ends in one["terms"].items()} for label, one in shown.items()}
    axis = energy_terms(bars, title="Energy in 45 nm, in % of the dense twin")
    axis.set_xlabel("% of the twin")
    axis.figure.set_size_inches(8.4, 0.4 * len(bars) + 1.6)
    save_figure(axis.figure, out / "energy.png")


STUDY = Study("energy.json", "energy-results.md", cells, results, energy_page.page, check, draw)
reproduce = STUDY.reproduce
