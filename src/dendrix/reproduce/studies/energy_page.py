"""Page of the study of energy."""

from collections.abc import Iterator

from ...bench import energy_peers, energy_rapl, energy_traced
from ..study import Results

FIRST = "45nm"
"""Hardware of the sentences and of the figure."""
EPOCHS = 6
"""Epochs of the two networks of commands."""
_OPERATIONS_ONLY = "spikegpt-paper"
_MOSTLY_SPIKES = 0.8
_NAMES = {
    "fsdd": "Digits (`fsdd`)",
    "commands": "Voice commands (`commands`)",
    "cifar10": "Images (`cifar10`)",
    "novels": "Text (`novels`)",
}
_INTRODUCTION = """# Energy of spiking networks beside their dense twins

`dendrix reproduce energy` measures the shipped networks, computes all numbers and writes this page and `energy.json`, which is stored as
`benchmarks/energy.json`. [Estimate the energy of a network](howto/energy.md) explains terms and assumptions. All energies are
**estimates** from counted operations, counted bytes and published energies; none was measured on hardware. The **twin** is the dense
network of the same shape with weights of 8 bits. Each network was measured on up to {inputs} inputs of {where}.
Static power is contained for `cortex-m4` and `loihi`, over the duration of a recording, because published figures exist; that of a whole
chip of Loihi is larger than everything else together. There are no published energies per operation of Loihi 2; it is not included.

![Energy by term](images/energy.png)

## Does it pay?
"""
_DIFFERENCES = """
NeuroBench skips multiplications by zero for numbers too; `dendrix energy` counts all of them, as an array of multipliers does not skip
them, and gives the others as `reached`. NeuroBench takes only the values 0, 1 and -1 for spikes, so that spikes of another amplitude, as
those of converted networks, are multiplications there and additions here. Neither library sees layers with delays. The last rows compare
with the model of Lemaire et al. as SpikingJelly has it, away from the border and with stride one: elsewhere its equations count synapses
that do not exist.
"""
_TRACED = """
The digit network, exported to C with 8 bits, under callgrind, on its samples: a linear fit of the counts by synaptic operations of the
layers with spikes and by time steps. It tests the rule for machines without reuse: an addition reads a weight, a delay and a sum, and
writes the sum.
"""
_TRAINED = """
`fsdd` and `commands`: the recipe of the network with quantised activations of 8 bits in place of the neurons, the same layers, delays,
data, epochs and seed, trained once. For `commands` both were trained for only {epochs} epochs, on twenty words; the shipped network
knows forty words after a full training. `cifar10`: the network before its conversion, whose activations have 5
levels, 3 bits, on the images of its conversion. What spikes cost a language model, in bits, is
the subject of [another study](price-of-spikes.md). Multiplications: of the trained twin, and as
derived from the spiking network.
"""
_STEPS = """
3 x 3, 64 to 64 channels, 16 x 16 positions, spikes as inputs, integrate-and-fire neurons: firing rate below which it costs less than its
twin, which runs once and has ceil(log2(T + 1)) bits. Yan et al. (arXiv 2409.08290) find 5.7 % for T = 5 with a hardware model of their
own, which has a network on chip.
"""


def page(found: Results) -> str:
    """The results as Markdown.

    Args:
        found: results of the study.
    """
    networks = found["networks"]
    where = "samples that come with dendrix" if any(one["samples"] for one in networks.values()) else "validation data"
    inputs = max((one["units"] for one in networks.values() if one["unit"] == "input"), default=0)
    parts = [_INTRODUCTION.format(inputs=inputs, where=where)]
    parts += [f"- {' '.join(_answer(name, networks, found.get('twins', {})))}" for name in _NAMES if name in networks]
    parts.append("")
    for name, network in networks.items():
        parts += [f"## {name}", "", " ".join(_measured(network)), "", *_table(network), ""]
    if "twins" in found:
        parts += ["## Trained twins", _TRAINED.format(epochs=EPOCHS), *_twins(found["twins"])]
    if "convolution" in found:
        steps = list(next(iter(found["convolution"].values())))
        parts += ["", "## A convolution, by the number of steps of a still image", _STEPS]
        parts += ["| hardware | " + " | ".join(f"T = {count}" for count in steps) + " |", "|---" * (len(steps) + 1) + "|"]
        parts += [f"| {name} | " + " | ".join(rates(row[count]) for count in steps) + " |" for name, row in found["convolution"].items()]
    if "peers" in found:
        parts += ["", "## Counts of other libraries", "", energy_peers.table(found["peers"]), _DIFFERENCES]
    if "traced" in found:
        parts += ["## Memory accesses of the exported C code", _TRACED, energy_traced.table(found["traced"])]
    if "rapl" in found:
        parts += ["", "## Energy counters of the processor", "", energy_rapl.table(found["rapl"])]
    return "\n".join([*parts, ""])


def rates(ends: list[float | None]) -> str:
    """Write break-even rates.

    Args:
        ends: as `BreakEven.rate`.
    """
    ordered = sorted(ends, key=lambda end: -1.0 if end is None else end)
    words = ["never" if end is None else "always" if end == 1 else _percent(end) for end in ordered]
    return " to ".join(dict.fromkeys(words))


def _twins(twins: Results) -> Iterator[str]:
    yield "| network | validation, spiking | twin | test, spiking | twin | multiplications | derived |"
    yield "|---|---|---|---|---|---|---|"
    for name, twin in twins.items():
        accuracy = [
            _percent(twin["accuracy"][one][split]) if split in twin["accuracy"][one] else ""
            for split in ("valid", "test")
            for one in ("spiking", "twin")
        ]
        macs = [f"{twin[key]:,.0f}" if key in twin else "" for key in ("macs", "derived_macs")]
        yield f"| {name} | {' | '.join([*accuracy, *macs])} |"


def _answer(name: str, networks: Results, twins: Results) -> Iterator[str]:
    """Yield sentences on a network: whether it pays, where, and why; and how accurate its trained twin is."""
    network = networks[name]
    on = {machine: row for machine, row in network["on"].items() if row["ratio"] is not None and machine != _OPERATIONS_ONLY}
    yield f"**{_NAMES[name]}.**"
    if not network["spiking_share"]:
        yield f"No: no product has spikes as inputs, so it costs as much as its dense twin on every hardware model ({_span(on)} times)."
        return
    pays = {machine: row for machine, row in on.items() if row["ratio"][1] < 1}
    if len(pays) == len(on):
        yield f"Yes, on every hardware model with dense products: {_span(on)} times the energy of the twin."
    elif pays:
        yield f"Only on {', '.join(pays)}: {_span(pays)} times the energy of the twin."
    else:
        yield f"No, on no hardware model: {_span(on)} times the energy of the twin."
    row = on[FIRST]
    yield f"In 45 nm, {_percent(network['rate'])} of the inputs are active, {_limit(row['break_even'])};"
    yield f"the largest term is {row['spiking']['dominant']} ({_share(row['spiking'])} of the energy)."
    if network["spiking_share"] < _MOSTLY_SPIKES:
        share = 100 * (1 - network["spiking_share"])
        yield f"{share:.0f} % of the multiplications have numbers as inputs, such as averages of spikes after pooling."
    yield f"Operations alone, without memory, would give {network['on'][_OPERATIONS_ONLY]['ratio'][0]:.2f} times."
    if exits := networks.get(f"{name}, with early exits"):
        less = exits["on"][FIRST]["spiking"]["picojoules"][0] / row["spiking"]["picojoules"][0]
        yield f"With early exits, it runs {exits['steps']:.1f} of {network['steps']:.1f} steps and needs {100 * less:.0f} % of its energy."
    if name in twins:
        one, other = (twins[name]["accuracy"][kind]["valid"] for kind in ("spiking", "twin"))
        yield f"Trained alike (see below), {_percent(one)} of the validation answers are right, and {_percent(other)} of those of the twin."


def _limit(even: Results) -> str:
    words = rates(even["rate"])
    known = {"never": "and it would cost more even without a spike", "always": "and it would cost less at every rate"}
    return known.get(words, f"and it costs less below {words}")


def _measured(network: Results) -> Iterator[str]:
    yield f"Per {network['unit']}, mean of {network['units']:,}; {network['steps']:.1f} steps for an input."
    if network["spiking_share"]:
        yield f"Products with spikes as inputs have {100 * network['spiking_share']:.0f} % of the multiplications of a dense machine;"
        yield f"{_percent(network['rate'])} of their inputs are active."
    else:
        yield "No product has spikes as inputs."
    yield f"Twin: {network['twin']}."


def _table(network: Results) -> Iterator[str]:
    yield "| hardware | energy, nJ | twin, nJ | times the twin | costs less below a rate of | largest term |"
    yield "|---|---|---|---|---|---|"
    for machine, row in network["on"].items():
        twin, even = row["twin"], row["break_even"]
        cells = [_range(row["spiking"]["picojoules"], 1e-3), _range(twin and twin["picojoules"], 1e-3), _range(row["ratio"])]
        yield f"| {machine} | {' | '.join(cells)} | {'' if even is None else rates(even['rate'])} | {row['spiking']['dominant']} |"
    partial = [
        f"{machine} without {what}"
        for machine, row in network["on"].items()
        for what in row["spiking"]["left_out"]
        if what.startswith("dense products")
    ]
    if partial:
        yield f"\nIncomplete: {'; '.join(partial)}."


def _span(rows: Results) -> str:
    ends = [end for row in rows.values() for end in row["ratio"]]
    return " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(ends), max(ends))))


def _share(estimate: Results) -> str:
    return f"{100 * estimate['terms'][estimate['dominant']][0] / estimate['picojoules'][0]:.0f} %"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _range(ends: list[float] | None, scale: float = 1.0) -> str:
    if ends is None:
        return "none"
    return " to ".join(dict.fromkeys(f"{scale * end:,.2f}" if scale * end < 100 else f"{scale * end:,.0f}" for end in ends))
