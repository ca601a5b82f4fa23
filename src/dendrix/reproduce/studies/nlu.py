"""Sentence classification with a small SpikeGPT, with and without spikes and pretraining, beside a bag of words; a study of this project.

A cell is a task and a network, or a task and the bag of words, with or without pairs of words.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from ...data.text.corpora import corpus
from ...data.text.nlu import nlu
from ...models.spikegpt.neurons import NeuronConfig
from ...recipes import find_recipe
from ...run_folder.record import read_record
from ...runs.evaluation import evaluate_run
from ...train.sentence.recipe import SentenceRecipe
from ...train.text.recipe import TextRecipe
from ..claim import Checked, compare
from ..study import RUNS, Cell, Results, Study
from . import spikegpt_small
from .bag_of_words import bag_of_words

BAG, WORDS, PRETRAINED, PIECES = "bag of words", "single words", "pretrained", "word pieces"
BAGS = {BAG: "bag", WORDS: "words"}
"""Baselines, with the last part of the names of their cells."""
TASKS = {"sst2": "SST-2", "sst5": "SST-5", "mr": "MR", "subj": "Subj", "trec": "TREC"}
NETWORKS: dict[str, dict[str, Any]] = {
    "spiking": {},
    "normed": {"neurons": NeuronConfig(norm=True)},
    "continuous": {"spikes": "none"},
    "inputs": {"spikes": "input"},
    PRETRAINED: {},
    PIECES: {},
}
"""Changes of the model of `spikegpt-classifier`; the last two start from the runs of LANGUAGE_MODELS beside their own."""
LANGUAGE_MODELS = {PRETRAINED: "language-model", PIECES: "piece-model"}
"""Names of the cells of the language models that are fine-tuned."""
_COLUMNS = (BAG, WORDS, "spiking", "normed", "inputs", "continuous", PRETRAINED, PIECES)
_RECIPE, _PIECES_RECIPE = "spikegpt-classifier", "spikegpt-small:pieces"
_SAME = "normed"
"""The network from scratch that has the neurons of the one from word pieces."""
_TEXTS = "texts"
_OFTEN = 5
_WORD = re.compile(r"\w+|[^\w\s]+")
_PRETRAINED_EPOCHS = 3
"""Fewer than in the recipe, because sentences of bytes are five times as long as sentences of words."""
_DOCUMENTED = {
    "sst2": {BAG: 81.0, WORDS: 81.3, "spiking": 80.6, "normed": 77.8, "continuous": 79.8, "inputs": 79.0, PRETRAINED: 71.3, PIECES: 78.7},
    "sst5": {BAG: 39.4, WORDS: 36.7, "spiking": 40.1, "normed": 38.1, "continuous": 39.6, "inputs": 37.3, PRETRAINED: 34.1, PIECES: 40.9},
    "mr": {BAG: 75.4, WORDS: 75.4, "spiking": 75.5, "normed": 74.0, "continuous": 74.6, "inputs": 75.1, PRETRAINED: 62.3, PIECES: 72.1},
    "subj": {BAG: 92.6, WORDS: 92.3, "spiking": 92.9, "normed": 92.0, "continuous": 92.0, "inputs": 92.6, PRETRAINED: 87.4, PIECES: 92.0},
    "trec": {BAG: 90.8, WORDS: 87.8, "spiking": 87.2, "normed": 86.2, "continuous": 87.6, "inputs": 84.2, PRETRAINED: 75.4, PIECES: 85.4},
}
"""Test accuracies in % in docs/nlu-results.md."""
_TOLERANCE = 3.0
"""In percentage points: the largest effect of rounding on one training, on another machine."""


class Outcome(TypedDict):
    """Scores of one training."""

    accuracy: float
    """On the test sentences."""
    sentences: int
    """Number of test sentences."""
    valid_accuracy: float
    valid_sentences: int
    parameters: int
    seconds: float | None
    """Duration of the training; None where it was not measured."""


class Texts(TypedDict):
    """What the texts of the pretraining on word pieces have."""

    pieces: int
    rare: dict[str, float]
    """By task: share of the words of validation sentences that occur fewer than `_OFTEN` times in training sentences."""
    known: dict[str, float]
    """By task: share of these rare words that occur at least `_OFTEN` times in the texts."""


def cells(out: Path) -> list[Cell]:
    """All trainings, and both bags of words on every task."""
    return [
        *(Cell(f"{task}-{last}", (task, name), _score_bag) for name, last in BAGS.items() for task in TASKS),
        replace(spikegpt_small.cells(out)[0], name=LANGUAGE_MODELS[PRETRAINED], score=None),
        Cell(LANGUAGE_MODELS[PIECES], (PIECES, _TEXTS), _score_texts, _piece_model(), _PIECES_RECIPE),
        *(_network(name, task, out) for name in NETWORKS for task in TASKS),
    ]


def _piece_model() -> TextRecipe:
    recipe: Any = find_recipe(_PIECES_RECIPE)()
    changed: TextRecipe = replace(recipe, budget=replace(recipe.budget, precision="bf16"))
    return changed


def _network(name: str, task: str, out: Path) -> Cell:
    recipe: Any = find_recipe(_RECIPE)()
    changes, budget, needs = NETWORKS[name], recipe.budget, tuple[str, ...]()
    if name in LANGUAGE_MODELS:
        changes, needs = {"pretrained": str(out / RUNS / LANGUAGE_MODELS[name])}, (LANGUAGE_MODELS[name],)
    if name == PRETRAINED:
        changes["embedding_scale"] = 1.0
        budget = replace(budget, epochs=_PRETRAINED_EPOCHS)
    changed: SentenceRecipe = replace(recipe, data=replace(recipe.data, source=task), model=replace(recipe.model, **changes), budget=budget)
    return Cell(f"{task}-{name.replace(' ', '-')}", (task, name), _score_network, changed, _RECIPE, needs)


def _score_network(_: Cell, folder: Path) -> Outcome:
    record, (valid, test) = read_record(folder), (evaluate_run(folder, split) for split in ("valid", "test"))
    return Outcome(
        accuracy=test.accuracy,
        sentences=sum(map(sum, test.confusion)),
        valid_accuracy=valid.accuracy,
        valid_sentences=sum(map(sum, valid.confusion)),
        parameters=record["parameters"],
        seconds=record["seconds"],
    )


def _score_texts(cell: Cell, _: Path) -> Texts:
    recipe = cast(TextRecipe, cell.recipe)
    texts = _counted(document.decode() for document in corpus(recipe.data.text, recipe.data.root).train)
    rare, known = dict[str, float](), dict[str, float]()
    for task in TASKS:
        splits = nlu(task)
        trained, words = _counted(splits.train.texts), list(_counted(splits.valid.texts).elements())
        new = [word for word in words if trained[word] < _OFTEN]
        rare[task], known[task] = len(new) / len(words), sum(texts[word] >= _OFTEN for word in new) / max(len(new), 1)
    return Texts(pieces=len(recipe.data.load().train), rare=rare, known=known)


def _counted(texts: Iterable[str]) -> Counter[str]:
    """Count lower-case words and punctuation."""
    return Counter(word for text in texts for word in _WORD.findall(text.lower()))


def _score_bag(cell: Cell, _: Path) -> Outcome:
    task, name = cell.key
    splits = nlu(task)
    found = bag_of_words(splits, pairs=name == BAG)
    return Outcome(
        accuracy=found.accuracy,
        sentences=len(splits.test),
        valid_accuracy=found.valid_accuracy,
        valid_sentences=len(splits.valid),
        parameters=found.parameters,
        seconds=None,
    )


def results(known: Mapping[tuple[str, str], Any]) -> Results:
    """The outcomes by task and network, and what the texts of the pretraining have."""
    found: Results = {}
    for task in TASKS:
        if outcomes := {name: known[task, name] for name in (*BAGS, *NETWORKS) if (task, name) in known}:
            found[task] = outcomes
    if (PIECES, _TEXTS) in known:
        found[_TEXTS] = known[PIECES, _TEXTS]
    return found


def _tasks(found: Results) -> dict[str, dict[str, Any]]:
    return {task: found[task] for task in TASKS if task in found}


def check(found: Results) -> list[Checked]:
    """Compare every accuracy with docs/nlu-results.md."""
    return [
        compare(
            TASKS[task],
            f"test accuracy in %, {name}",
            f"{task}, {name}",
            100 * one["accuracy"],
            _DOCUMENTED.get(task, {}).get(name),
            _TOLERANCE,
            "points",
        )
        for task, networks in _tasks(found).items()
        for name, one in networks.items()
    ]


_INTRODUCTION = """# Sentence classification with a small SpikeGPT

Five tasks of sentence classification. `dendrix reproduce nlu` runs all trainings and writes this page. If it is stopped, the same command
continues it.

The **bag of words** is the baseline: words and pairs of words, weighted by tf-idf, and a logistic regression of scikit-learn, with its
regularisation chosen on validation sentences. **single words** is the same without pairs. The networks are trained from scratch on the
words of the training sentences and have {size}. **spiking** is SpikeGPT as published, with neurons after each half of a block.
**normed** is the same with a norm before the neurons (`--model.neurons.norm`). **inputs** has neurons before every matrix product of a
block instead. **continuous** has no neurons. **pretrained** is a language model on bytes that is trained further, the network `spiking-0`
of the [text study](text-results.md). **word pieces** is a language model with the network `normed` on {vocabulary:,} lower-case word pieces
of novels and WikiText-2, of which it has read {read:.1f} million, and that is trained further. Its embedding is scaled before that, which
leaves its signs, the codes of the tokens, the same and lets fine-tuning change them sooner (`--model.embedding-scale`). The epoch was
chosen on validation sentences; the other settings were chosen on the validation sentences of SST-2, the norm and the scale also on those
of TREC. No test sentence was used for a choice.

For SST-2 and SST-5, the training data are whole sentences only, without phrases, and the test data are the public half of the test
sentences. TREC has its own test questions. MR and Subj have no official split: every tenth sentence, beginning with the first, is a test
sentence (**one fold of ten**). Each network was trained **once**. The last column is the sampling error of the first accuracy in the row
for this number of sentences (95 %), without the spread between trainings with other seeds.
"""
_HEAD = """
| task | {names} | sampling error |
|---|{lines}---|
"""


def page(found: Results) -> str:
    """The results as Markdown."""
    texts, found = found.get(_TEXTS), _tasks(found)
    names = [name for name in _COLUMNS if any(name in task for task in found.values())]
    head = _HEAD.format(names=" | ".join(names), lines="---|" * len(names))
    recipe = _piece_model()
    read = recipe.budget.steps * recipe.budget.batch_size * recipe.budget.context / 1e6
    parts = [_INTRODUCTION.format(size=_size(found.values()), vocabulary=recipe.data.vocabulary, read=read)]
    for split, prefix in (("test", ""), ("validation", "valid_")):
        rows = [_row(TASKS[task], [networks], names, prefix) for task, networks in found.items()]
        parts += [f"\n## Accuracy on {split} sentences\n", head, *rows, _row("mean", list(found.values()), names, prefix)]
    return "".join([*parts, _comparison(found), _differences(found), _pretraining(found, texts), _pairs(found), _seconds(found.values())])


def _row(title: str, tasks: Sequence[Mapping[str, Results]], names: Sequence[str], prefix: str) -> str:
    """A task, or the means over several: the networks that all of them have."""
    shown = [
        f"{100 * sum(one[name][f'{prefix}accuracy'] for one in tasks) / len(tasks):.1f} %" if all(name in one for one in tasks) else ""
        for name in names
    ]
    return f"| {title} | {' | '.join(shown)} | ± {_error(tasks, prefix):.1f} |\n"


def _error(tasks: Sequence[Mapping[str, Results]], prefix: str = "") -> float:
    """Sampling error (95 %) in points of the mean over tasks of the accuracy of their first networks."""
    firsts = [next(iter(networks.values())) for networks in tasks]
    variances = (one[f"{prefix}accuracy"] * (1 - one[f"{prefix}accuracy"]) / one[f"{prefix}sentences"] for one in firsts)
    return float(196 * sum(variances) ** 0.5 / len(tasks))


def _size(found: Collection[Mapping[str, Results]]) -> str:
    counts = [networks["spiking"]["parameters"] for networks in found if "spiking" in networks]
    return f"{min(counts):,} to {max(counts):,} parameters" if counts else "few parameters"


def _comparison(found: Mapping[str, Mapping[str, Results]]) -> str:
    """On which tasks the spiking network that is best on validation sentences is better than the bag of words."""
    better, worse = list[str](), list[str]()
    for task, networks in found.items():
        spiking = {name: one for name, one in networks.items() if name not in (*BAGS, "continuous")}
        if BAG in networks and spiking:
            best = max(spiking, key=lambda name: spiking[name]["valid_accuracy"])
            gain = spiking[best]["accuracy"] - networks[BAG]["accuracy"]
            (better if gain > 0 else worse).append(f"{TASKS[task]} ({100 * gain:+.1f} points, {best})")
    return (
        "\nThe spiking network that is best on validation sentences is better than the bag of words on the test sentences of "
        f"{', '.join(better) or 'no task'}, and not better on those of {', '.join(worse) or 'no task'}.\n"
    )


def _differences(found: Mapping[str, Mapping[str, Results]]) -> str:
    """Which networks from scratch differ from the bag of words by more than the sampling error."""
    shown, compared = list[str](), 0
    for task, networks in found.items():
        for name in [name for name in networks if name not in (*BAGS, *LANGUAGE_MODELS) and BAG in networks]:
            gain, compared = 100 * (networks[name]["accuracy"] - networks[BAG]["accuracy"]), compared + 1
            if abs(gain) > _error([networks]):
                shown.append(f"{TASKS[task]} ({name} {gain:+.1f})")
    return (
        f"\nOf {compared} networks from scratch, {len(shown)} differ from the bag of words on test sentences by more points than the "
        f"sampling error{': ' if shown else ''}{', '.join(shown)}.\n"
    )


def _pretraining(found: Mapping[str, Mapping[str, Results]], texts: Texts | None) -> str:
    """By how much the pretraining on word pieces changes the same network, where it stands beside the bag of words, and what it read."""
    known = {task: networks for task, networks in found.items() if all(name in networks for name in (BAG, _SAME, PIECES))}
    if not known:
        return ""
    change = {split: _changes(known, _SAME, prefix) for split, prefix in (("validation", "valid_"), ("test", ""))}
    beside = _changes(known, BAG)
    listed = ", ".join(f"{TASKS[task]} {100 * gain:+.1f} (± {_error([known[task]]):.1f})" for task, gain in beside.items())
    means = " and ".join(f"{100 * sum(one.values()) / len(one):+.1f} points on {split} sentences" for split, one in change.items())
    return (
        f"\nPretraining on word pieces changes the network `{_SAME}` by {means}, on average. Against the bag of words it has, on test "
        f"sentences: {listed}. It is above it on {sum(gain > 0 for gain in beside.values())} of {len(beside)} tasks.\n"
        + ("" if texts is None else _words(texts))
    )


def _words(texts: Texts) -> str:
    rare, known = (f"{100 * min(of.values()):.0f} to {100 * max(of.values()):.0f} %" for of in (texts["rare"], texts["known"]))
    return (
        f"\nOf the words of validation sentences, {rare} occur fewer than {_OFTEN} times in the training sentences of the task. Of these, "
        f"{known} occur at least {_OFTEN} times in the texts of the pretraining, which have "
        f"{texts['pieces'] / 1e6:.1f} million pieces.\n"
    )


def _changes(found: Mapping[str, Mapping[str, Results]], base: str, prefix: str = "") -> dict[str, float]:
    """Accuracy of the network from word pieces minus that of another, by task."""
    score = f"{prefix}accuracy"
    return {task: networks[PIECES][score] - networks[base][score] for task, networks in found.items()}


def _pairs(found: Mapping[str, Mapping[str, Results]]) -> str:
    """What the bag of words loses without pairs of words: how much more than its words decides."""
    both = {TASKS[task]: networks for task, networks in found.items() if BAG in networks and WORDS in networks}
    if not both:
        return ""
    valid, test = (
        {task: 100 * (networks[WORDS][score] - networks[BAG][score]) for task, networks in both.items()}
        for score in ("valid_accuracy", "accuracy")
    )
    listed = ", ".join(f"{task} {change:+.1f}" for task, change in valid.items())
    return (
        "\nWords decide, more than their order. Without pairs, the bag of words changes on test sentences by "
        f"{sum(test.values()) / len(test):+.1f} points on average, and on validation sentences by {sum(valid.values()) / len(valid):+.1f} "
        f"({listed}). The networks from scratch learn the same words from the same few thousand sentences and know none from elsewhere.\n"
    )


def _seconds(found: Collection[Mapping[str, Results]]) -> str:
    times = {name: [networks[name]["seconds"] / 60 for networks in found if name in networks] for name in _COLUMNS[len(BAGS) :]}
    shown = [f"{name} {min(minutes):.1f} to {max(minutes):.1f}" for name, minutes in times.items() if minutes]
    return f"\nMinutes per training on one shared core, under different loads: {'; '.join(shown)}.\n" if shown else ""


STUDY = Study("nlu-results.json", "nlu-results.md", cells, results, page, check)
reproduce = STUDY.reproduce
