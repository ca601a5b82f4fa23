"""What a small SpikeGPT makes of sentences: five tasks, with and without spikes, from scratch and pretrained, beside a bag of words.

Our own study, of no paper. One training is a cell: a network, a task and a seed. Each has a run folder of its own, so a study that was
stopped goes on where it was.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import read_json, write_atomic, write_json
from ..claim import Checked
from .nlu_page import check, page

if TYPE_CHECKING:
    from ...train.sentence.recipe import SentenceRecipe

PAGE, RESULTS, OUTCOME = "nlu-results.md", "nlu-results.json", "outcome.json"
TASKS = ("sst2", "sst5", "mr", "subj", "trec")
NETWORKS: dict[str, dict[str, str]] = {
    "spiking": {},
    "continuous": {"spikes": "none"},
    "inputs": {"spikes": "input"},
    "pretrained": {"pretrained": "language-model"},
}
"""What each changes in the model of `spikegpt-classifier`; a pretrained one is a run beside its own."""
BAG, LANGUAGE_MODEL = "bag of words", "language-model"
_PRETRAINED_EPOCHS = 3
"""Sentences of bytes are five times as long as of words."""


@dataclass(frozen=True)
class Outcome:
    """What came of one training."""

    accuracy: float
    """On the test sentences."""
    sentences: int
    """How many these are."""
    valid_accuracy: float
    valid_sentences: int
    parameters: int
    seconds: float | None = None
    """Of the training; None where it was not measured."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    network: str
    task: str

    @property
    def name(self) -> str:
        """Of its run folder."""
        return f"{self.task}-{self.network}"

    def described(self, runs: Path, epochs: int | None = None) -> "SentenceRecipe":
        """The recipe that it trains, perhaps for another number of epochs.

        Args:
            runs: where a pretrained network lies.
            epochs: None takes those of the recipe, and fewer for a pretrained network.
        """
        from ...recipes import find_recipe

        recipe: Any = find_recipe("spikegpt-classifier")()
        changes = dict(NETWORKS[self.network])
        if pretrained := changes.get("pretrained"):
            changes["pretrained"] = str(runs / pretrained)
            epochs = epochs or _PRETRAINED_EPOCHS
        changed: SentenceRecipe = replace(
            recipe,
            data=replace(recipe.data, source=self.task),
            model=replace(recipe.model, **changes),
            budget=recipe.budget if epochs is None else replace(recipe.budget, epochs=epochs),
        )
        return changed


def cells() -> list[Cell]:
    """All trainings, those that are compared with each other side by side."""
    return [Cell(network, task) for network in NETWORKS for task in TASKS]


def reproduce(out: Path, epochs: int | None = None) -> list[Checked]:
    """Train every cell that is not trained yet, and write the results and the page into `out`: about two hours on one core.

    Args:
        out: the folder.
        epochs: train for so many instead of those of the recipe.
    """
    for task in TASKS:
        fit_bag(task, out)
    for cell in cells():
        train(cell, out, epochs)
    checked = report(out)
    return checked if epochs is None else [replace(one, verdict=f"a trial of {epochs} epochs", passed=True) for one in checked]


def train(cell: Cell, out: Path, epochs: int | None = None) -> None:
    """Train a cell, or go on with it, and score its best network on the test sentences; what is complete stays as it is."""
    from ...runs.evaluation import evaluate_run
    from ...train.command import TrainRun, train_run

    runs = out / "runs"
    folder = runs / cell.name
    if cell.network == "pretrained":
        pretrain(out, epochs)
    record, _ = train_run(TrainRun(cell.described(runs, epochs), out=folder, resume=True, json=True), "spikegpt-classifier")
    if not (folder / OUTCOME).exists():
        valid, test = (evaluate_run(folder, split) for split in ("valid", "test"))
        counts = [sum(map(sum, scores.confusion)) for scores in (test, valid)]
        outcome = Outcome(test.accuracy, counts[0], valid.accuracy, counts[1], record["parameters"], record["seconds"])
        write_json(folder / OUTCOME, asdict(outcome))


def pretrain(out: Path, epochs: int | None = None) -> None:
    """Train the language model, the published network of the text study, or go on with it; what is complete stays as it is."""
    from ...train.command import TrainRun, train_run
    from .spikegpt_small import NETWORKS as LANGUAGE_MODELS
    from .spikegpt_small import Cell as LanguageModel

    recipe = LanguageModel(LANGUAGE_MODELS[0], seed=0).described(epochs)
    train_run(TrainRun(recipe, out=out / "runs" / LANGUAGE_MODEL, resume=True, json=True), "spikegpt-small")


def fit_bag(task: str, out: Path) -> None:
    """Fit the bag of words to a task, if that was not done."""
    from ...data.text.nlu import nlu
    from .bag_of_words import bag_of_words

    folder = out / "runs" / f"{task}-bag"
    if not (folder / OUTCOME).exists():
        splits = nlu(task)
        found = bag_of_words(splits)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = Outcome(found.accuracy, len(splits.test), found.valid_accuracy, len(splits.valid), found.parameters)
        write_json(folder / OUTCOME, asdict(outcome))


def report(out: Path) -> list[Checked]:
    """Write the results and the page from the cells that are trained."""
    found: dict[str, Any] = {}
    for task in TASKS:
        folders = {BAG: out / "runs" / f"{task}-bag", **{network: out / "runs" / Cell(network, task).name for network in NETWORKS}}
        known = {name: read_json(folder / OUTCOME) for name, folder in folders.items() if (folder / OUTCOME).exists()}
        if known:
            found[task] = known
    write_json(out / RESULTS, found)
    write_atomic(out / PAGE, page(found).encode())
    return check(found)
