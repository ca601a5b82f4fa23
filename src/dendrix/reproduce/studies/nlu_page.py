"""The page of the study of sentences, and what of it a repetition must find again."""

from typing import Any

from ..claim import Checked

_INTRODUCTION = """# What a small SpikeGPT makes of sentences

Five tasks of sentence classification. `dendrix reproduce nlu` trains everything again and writes this page; stopped, it goes on where it
was.

The **bag of words** is the rival to beat: words and pairs of words, weighed by tf-idf, and a logistic regression of scikit-learn whose
regularisation was chosen on validation sentences. The networks start from scratch on the words of the training sentences, with {size}:
**spiking** is SpikeGPT as published, with neurons after each half of a block; **inputs** has them before every matrix product of a block
instead; **continuous** has none. **pretrained** is a language model of bytes that goes on learning, the network `spiking-0` of
[this study](text-results.md). The epoch was chosen on validation sentences, and so were the settings, on those of SST-2 alone; no choice
has seen a test sentence.

SST-2 and SST-5 have whole sentences alone for training, no phrases, and the public half of the test sentences. TREC has its test questions.
MR and Subj have no split: every tenth sentence, from the first on, is for testing, **one fold of ten**. Everything was trained **once**;
the last column says what chance alone does to the first figure at this number of sentences (95 %).
"""
_TITLES = {"sst2": "SST-2", "sst5": "SST-5", "mr": "MR", "subj": "Subj", "trec": "TREC"}
_HEAD = """
| task | {names} | chance |
|---|{lines}---|
"""
_ORDER = ("bag of words", "spiking", "inputs", "continuous", "pretrained")
_DOCUMENTED: dict[str, dict[str, float]] = {
    "sst2": {"bag of words": 81.0, "spiking": 80.6, "continuous": 79.8, "inputs": 79.0, "pretrained": 71.3},
    "sst5": {"bag of words": 39.4, "spiking": 40.1, "continuous": 39.6, "inputs": 37.3, "pretrained": 34.1},
    "mr": {"bag of words": 75.4, "spiking": 75.5, "continuous": 74.6, "inputs": 75.1, "pretrained": 62.3},
    "subj": {"bag of words": 92.6, "spiking": 92.9, "continuous": 92.0, "inputs": 92.6, "pretrained": 87.4},
    "trec": {"bag of words": 90.8, "spiking": 87.2, "continuous": 87.6, "inputs": 84.2, "pretrained": 75.4},
}
"""Test accuracies in % as docs/nlu-results.md has them."""
_TOLERANCE = 3.0
"""In points: what another machine's rounding makes of a training."""


def page(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    names = [name for name in _ORDER if any(name in task for task in found.values())]
    head = _HEAD.format(names=" | ".join(names), lines="---|" * len(names))
    parts = [_INTRODUCTION.format(size=_size(found)), "\n## Accuracy on test sentences\n", head]
    parts += [_row(task, found[task], names, "accuracy") for task in found]
    parts += ["\n## On validation sentences\n", head, *(_row(task, found[task], names, "valid_accuracy") for task in found)]
    return "".join([*parts, _losses(found), _seconds(found)])


def check(found: dict[str, Any]) -> list[Checked]:
    """Every accuracy beside the one of docs/nlu-results.md, which a repetition must come near."""
    return [_checked(task, name, one) for task, networks in found.items() for name, one in networks.items()]


def _checked(task: str, name: str, one: dict[str, Any]) -> Checked:
    documented, accuracy = _DOCUMENTED.get(task, {}).get(name), 100 * one["accuracy"]
    off = 0.0 if documented is None else accuracy - documented
    near = abs(off) <= _TOLERANCE
    return Checked(
        where=_TITLES[task],
        says=f"test accuracy in %, {name}",
        published="" if documented is None else f"{documented}",
        call=f"{task}, {name}",
        computed=accuracy,
        verdict="new" if documented is None else f"{'agrees' if near else 'differs'}: {off:+.1f} points",
        note=f"tolerance {_TOLERANCE} points",
        passed=near,
    )


def _row(task: str, networks: dict[str, Any], names: list[str], what: str) -> str:
    shown = [f"{100 * networks[name][what]:.1f} %" if name in networks else "" for name in names]
    one = next(iter(networks.values()))
    count, share = one["sentences"] if what == "accuracy" else one["valid_sentences"], one[what]
    chance = 196 * (share * (1 - share) / count) ** 0.5
    return f"| {_TITLES[task]} | {' | '.join(shown)} | ± {chance:.1f} |\n"


def _size(found: dict[str, Any]) -> str:
    counts = [networks["spiking"]["parameters"] for networks in found.values() if "spiking" in networks]
    return f"{min(counts):,} to {max(counts):,} parameters" if counts else "small ones"


def _losses(found: dict[str, Any]) -> str:
    """Where the network that does best on validation sentences loses against the bag of words, in a sentence."""
    lost: list[str] = []
    won: list[str] = []
    for task, networks in found.items():
        bag = networks.get("bag of words")
        others = {name: one for name, one in networks.items() if name not in ("bag of words", "continuous")}
        if bag and others:
            best = max(others, key=lambda name: others[name]["valid_accuracy"])
            gain = others[best]["accuracy"] - bag["accuracy"]
            (won if gain > 0 else lost).append(f"{_TITLES[task]} ({100 * gain:+.1f} points, {best})")
    return (
        f"\nThe network with spikes that is best on validation sentences beats the bag of words on {', '.join(won) or 'none'}, "
        f"and loses on {', '.join(lost) or 'none'}.\n"
    )


def _seconds(found: dict[str, Any]) -> str:
    """What the trainings took."""
    lines = []
    for name in _ORDER[1:]:
        taken = [networks[name]["seconds"] for networks in found.values() if name in networks]
        if taken:
            lines.append(f"{name} {min(taken) / 60:.1f} to {max(taken) / 60:.1f}")
    return f"\nMinutes of a training on one shared core: {'; '.join(lines)}.\n" if lines else ""
