"""What spikes cost a small language model: the published network, spikes before every product, no spikes, and GPT-2 of the same size.

Our own study, of no paper. All read the same bytes of novels in the same order for the same number of steps. One training is a cell, a
network and a seed, with a run folder of its own, so a study that was stopped goes on where it was.
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import read_json, write_atomic, write_json
from ..claim import Checked
from .spikegpt_small_page import check, page
from .spikegpt_small_results import Outcome, results

if TYPE_CHECKING:
    from ...data.text.tokens import Tokens
    from ...train.text.recipe import TextRecipe

PAGE, RESULTS, OUTCOME = "text-results.md", "text-results.json", "outcome.json"
SEEDS = (0, 1, 2)
STEPS, _EVERY = 1200, 400
_CONTEXT = 256
_BYTES = 50_000
"""Of each novel, from its beginning, are scored."""


@dataclass(frozen=True)
class Network:
    """What is compared."""

    name: str
    recipe: str
    lr: float
    """Peak of the learning rate: the better of 2e-3 and 5e-3 on validation bytes after 100 steps; "pytorch" has that of "spiking"."""


NETWORKS = (
    Network("spiking", "spikegpt-small", 5e-3),
    Network("continuous", "spikegpt-small:continuous", 5e-3),
    Network("inputs", "spikegpt-small:inputs", 5e-3),
    Network("gpt2", "spikegpt-small:gpt2", 2e-3),
    Network("pytorch", "spikegpt-small:pytorch", 5e-3),
)


@dataclass(frozen=True)
class Cell:
    """One training."""

    network: Network
    seed: int

    @property
    def name(self) -> str:
        """Of its run folder."""
        return f"{self.network.name}-{self.seed}"

    def described(self, epochs: int | None = None) -> "TextRecipe":
        """The recipe that it trains, perhaps for fewer epochs of the record."""
        from ...recipes import find_recipe
        from ...train.text.recipe import TextBudget

        recipe: Any = find_recipe(self.network.recipe)()
        steps = STEPS if epochs is None else epochs * _EVERY
        budget = TextBudget(steps, _EVERY, batch_size=8, context=_CONTEXT, sample_tokens=0)
        changed: TextRecipe = replace(recipe, optim=replace(recipe.optim, lr=self.network.lr, warm_up=100), budget=budget, seed=self.seed)
        return changed


def cells() -> list[Cell]:
    """All trainings, those that are compared with each other side by side."""
    return [Cell(network, seed) for seed in SEEDS for network in NETWORKS]


def reproduce(out: Path, epochs: int | None = None) -> list[Checked]:
    """Train every cell that is not trained yet, and write the results and the page into `out`: about an hour and a half on one core.

    Args:
        out: the folder.
        epochs: train for so many times 400 steps.
    """
    for cell in cells():
        train(cell, out, epochs)
    checked = report(out)
    return checked if epochs is None else [replace(one, verdict=f"a trial of {epochs} epochs", passed=True) for one in checked]


def train(cell: Cell, out: Path, epochs: int | None = None) -> None:
    """Train a cell, or go on with it, and score its best network; what is complete stays as it is."""
    from ...train.command import TrainRun, train_run

    folder, recipe = out / "runs" / cell.name, cell.described(epochs)
    record, _ = train_run(TrainRun(recipe, out=folder, resume=True, json=True), cell.network.recipe)
    if not (folder / OUTCOME).exists():
        write_json(folder / OUTCOME, asdict(_outcome(folder, recipe, record)))


def report(out: Path) -> list[Checked]:
    """Write the results and the page from the cells that are trained."""
    known = {}
    for cell in cells():
        path = out / "runs" / cell.name / OUTCOME
        if path.exists():
            known[cell.network.name, cell.seed] = Outcome(**read_json(path))
    found = results(known)
    write_json(out / RESULTS, found)
    write_atomic(out / PAGE, page(found).encode())
    return check(found)


def _outcome(folder: Path, recipe: "TextRecipe", record: Any) -> Outcome:
    """The scores of a run's best network, and what its training took."""
    from ...data.text.corpora import corpus
    from ...models import SpikeGPT
    from ...models.spikegpt.hf_files import load_network
    from ...run_folder.record import METRICS, read_lines
    from ...runs.text_scores import tokens_in

    documents, (network, tokenizer) = corpus(recipe.data.text, recipe.data.root), load_network(folder)
    valid, test = ([tokens_in(text[:_BYTES], tokenizer) for text in split] for split in (documents.valid, documents.test))
    lines = read_lines(folder / METRICS)
    health = lines[record["progress"]["best_epoch"]]["health"]
    return Outcome(
        valid=_bits_per_byte(network, valid, _CONTEXT),
        test=_bits_per_byte(network, test, _CONTEXT),
        carried=_bits_per_byte(network, test, None) if isinstance(network, SpikeGPT) else None,
        rates={name: shares["rate"] for name, shares in health.items()},
        parameters=record["parameters"],
        tokens=lines[-1]["step"] * recipe.budget.batch_size * recipe.budget.context,
        seconds=record["seconds"],
    )


def _bits_per_byte(network: Any, novels: list["Tokens"], context: int | None) -> float:
    """Over several texts, each read from rest: in windows that overlap by half, or in one go."""
    from ...runs.text_scores import score_text

    return sum(score_text(network, novel, context=context).nats for novel in novels) / math.log(2) / sum(novel.bytes for novel in novels)
