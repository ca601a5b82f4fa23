"""The page of the speech study, and what of it a repetition must find again."""

from typing import Any

from ..claim import Checked

_INTRODUCTION = """# What learned delays are worth on spoken digits

Free Spoken Digit Dataset, five speakers, 2,500 clips; networks of two layers of spiking neurons, causal throughout, integer delays when
tested. `dendrix reproduce fsdd-delays` trains everything again and writes this page; stopped, it goes on where it was.

Four kinds of delays are compared, all else equal, the seeds too: **none**; **random**, one per synapse, which stays where it starts;
**learned**, one per synapse; **axonal**, one learned per neuron. Delays that are learned count as trained parameters, fixed ones do not.
Settings were chosen on validation takes, and no choice has seen a test clip of the official split. For unheard speakers
it was one choice for all five, in which their own clips had a small part, but for takes 0-4.
"""
_PROTOCOLS = {
    "official": (
        "Official split",
        "`fsdd-delays`: trained on takes 10-49, epoch chosen on takes 5-9, tested on takes 0-4 (250 clips), all by the same speakers.",
    ),
    "official-small": (
        "Official split, small networks",
        "`fsdd-delays:small`: as above with 2 x 56 neurons, frames that keep their level, and half of the loss on every step.",
    ),
    "official-cochlea": (
        "Official split, spikes of a cochlea",
        "`fsdd-delays:cochlea`: as the first, heard as spike counts in 140 channels of a model of the inner ear.",
    ),
    "unheard": (
        "Unheard speaker",
        "`fsdd-delays`: each speaker in turn is left out of the training and tested on (500 clips).",
    ),
    "unheard-small": ("Unheard speaker, small networks", "`fsdd-delays:small`: the same for small networks."),
}
_READING = """
How to read the tests. *Trainings*: a paired permutation test of the accuracies, each training against its partner of the same seed and
speaker; it contains the luck of a training, but with n pairs cannot go below 2 / 2^n. *Clips*: the exact McNemar test over all test clips
of all pairs; it is sharp, but speaks of these trained networks only. Both are two-sided and corrected for the comparisons of a table
(Holm). A difference is called one here if the trainings say so at 5 %.
"""
_DOCUMENTED: dict[str, dict[str, float]] = {
    "official": {"none": 95.9, "random": 98.0, "learned": 99.3, "axonal": 99.2},
    "official-small": {"none": 89.8, "random": 92.0, "learned": 95.2, "axonal": 92.5},
    "official-cochlea": {"none": 97.1, "random": 97.2, "learned": 97.7, "axonal": 96.9},
    "unheard": {"none": 58.2, "random": 75.2, "learned": 75.6, "axonal": 74.5},
    "unheard-small": {"none": 62.4, "random": 65.3, "learned": 66.8, "axonal": 63.5},
}
"""Accuracies in % as docs/speech-results.md has them."""
_TOLERANCE = 4.0
"""In points: what another machine's rounding makes of a few trainings."""
_TABLE = """
| delays | accuracy, mean ± standard deviation | validation | trained parameters | trainings |
|---|---|---|---|---|
"""
_COMPARISONS = """
| compared | difference | better in | p, trainings | only the first / second right | p, clips |
|---|---|---|---|---|---|
"""


def page(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    parts = [_INTRODUCTION]
    for name, (title, text) in _PROTOCOLS.items():
        if name in found:
            parts.append(f"\n## {title}\n\n{text}\n{_TABLE}")
            parts += [_row(kind, one) for kind, one in found[name]["delays"].items()]
            if speakers := _speakers(found[name]["delays"]):
                parts.append(speakers)
            parts.append(_COMPARISONS)
            parts += [_comparison(one) for one in found[name]["comparisons"]]
    return "".join([*parts, _READING])


def check(found: dict[str, Any]) -> list[Checked]:
    """Every accuracy beside the one of docs/speech-results.md, which a repetition must come near."""
    checked = []
    for name, protocol in found.items():
        for kind, one in protocol["delays"].items():
            accuracy, documented = 100 * one["accuracy"], _DOCUMENTED.get(name, {}).get(kind)
            off = 0.0 if documented is None else accuracy - documented
            near = abs(off) <= _TOLERANCE
            checked.append(
                Checked(
                    where=_PROTOCOLS[name][0],
                    says=f"accuracy in %, delays: {kind}",
                    published="" if documented is None else f"{documented}",
                    call=f"{name}, {kind}, {len(one['cells'])} trainings",
                    computed=accuracy,
                    verdict="new" if documented is None else f"{'agrees' if near else 'differs'}: {off:+.1f} points",
                    note=f"tolerance {_TOLERANCE} points",
                    passed=near,
                )
            )
    return checked


def _row(kind: str, one: dict[str, Any]) -> str:
    over = "" if one["sd"] is None else f" ± {100 * one['sd']:.1f}"
    return (
        f"| {kind} | {100 * one['accuracy']:.1f}{over} % | {100 * one['valid_accuracy']:.1f} % "
        f"| {one['parameters']:,} | {len(one['cells'])} |\n"
    )


def _speakers(kinds: dict[str, Any]) -> str:
    """The mean accuracy for each speaker who was left out, if any was."""
    names = list(dict.fromkeys(cell["speaker"] for one in kinds.values() for cell in one["cells"] if cell["speaker"]))
    if not names:
        return ""
    lines = [f"\n| delays | {' | '.join(names)} |\n|---{'|---' * len(names)}|\n"]
    for kind, one in kinds.items():
        scores = [[cell["accuracy"] for cell in one["cells"] if cell["speaker"] == name] for name in names]
        shown = (f"{100 * sum(score) / len(score):.1f} %" if score else "-" for score in scores)
        lines.append(f"| {kind} | {' | '.join(shown)} |\n")
    return "".join(lines)


def _comparison(one: dict[str, Any]) -> str:
    first, second = one["clips_only"]
    return (
        f"| {one['compared']} | {100 * one['difference']:+.1f} points | {one['cells_better']} of {one['cells']} "
        f"| {_p(one['p_cells_holm'])} | {first} / {second} | {_p(one['p_clips_holm'])} |\n"
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
