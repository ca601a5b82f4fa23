"""What learned delays are worth on spoken digits: networks without, with random and with learned delays, under five protocols.

Our own study, of no paper. One training is a cell: a protocol, a kind of delays, a seed and perhaps a speaker. Each has a run folder of
its own, so a study that was stopped goes on where it was.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import read_json, write_atomic, write_json
from ..claim import Checked
from .fsdd_page import check, page
from .fsdd_results import Outcome, results

if TYPE_CHECKING:
    from ...train.sequence.recipe import SequenceRecipe

PAGE, RESULTS, OUTCOME = "speech-results.md", "speech-results.json", "outcome.json"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
DELAYS = ("none", "random", "learned", "axonal")
"""No delays; one per synapse, at its random start or learned; one learned per neuron."""


@dataclass(frozen=True)
class Protocol:
    """What to train and test on, with every kind of delays."""

    name: str
    recipe: str
    """Its delays are learned."""
    seeds: tuple[int, ...]
    speakers: tuple[str | None, ...] = (None,)
    """Each in turn is left out of training and tested on; None is the official split."""


PROTOCOLS = (
    Protocol("official", "fsdd-delays", (0, 1, 2)),
    Protocol("official-small", "fsdd-delays:small", tuple(range(8))),
    Protocol("official-cochlea", "fsdd-delays:cochlea", (0, 1, 2)),
    Protocol("unheard", "fsdd-delays", (0,), SPEAKERS),
    Protocol("unheard-small", "fsdd-delays:small", (0, 1), SPEAKERS),
)


@dataclass(frozen=True)
class Cell:
    """One training."""

    protocol: str
    recipe: str
    delays: str
    seed: int
    speaker: str | None

    @property
    def name(self) -> str:
        """Of its run folder."""
        return "-".join(filter(None, (self.protocol, self.delays, self.speaker, str(self.seed))))

    def described(self) -> "SequenceRecipe":
        """The recipe that it trains."""
        from ...recipes import find_recipe

        recipe: Any = find_recipe(self.recipe)()
        kind = {"granularity": "axonal"} if self.delays == "axonal" else {"delays": self.delays}
        data = replace(recipe.data, held_out_speaker=self.speaker)
        changed: SequenceRecipe = replace(recipe, data=data, model=replace(recipe.model, **kind), seed=self.seed)
        return changed


def cells() -> list[Cell]:
    """All trainings, those that are compared with each other side by side."""
    return [
        Cell(protocol.name, protocol.recipe, delays, seed, speaker)
        for protocol in PROTOCOLS
        for seed in protocol.seeds
        for speaker in protocol.speakers
        for delays in DELAYS
    ]


def reproduce(out: Path, epochs: int | None = None) -> list[Checked]:
    """Train every cell that is not trained yet, and write the results and the page into `out`: some hours on one core.

    Args:
        out: the folder.
        epochs: train for so many instead of those of the recipes.
    """
    for cell in cells():
        train(cell, out, epochs)
    checked = report(out)
    return checked if epochs is None else [replace(one, verdict=f"a trial of {epochs} epochs", passed=True) for one in checked]


def train(cell: Cell, out: Path, epochs: int | None = None) -> None:
    """Train a cell, or go on with it, and keep whether it is right about each test clip; what is complete stays as it is."""
    from ...train.command import TrainRun, train_run

    folder, recipe = out / "runs" / cell.name, cell.described()
    if epochs is not None:
        recipe = replace(recipe, budget=replace(recipe.budget, epochs=epochs))
    record, _ = train_run(TrainRun(recipe, out=folder, resume=True, json=True), cell.recipe)
    if not (folder / OUTCOME).exists():
        valid = (record["progress"] or {})["best_accuracy"]
        write_json(folder / OUTCOME, asdict(Outcome(_right(folder, recipe), valid, record["parameters"], record["seconds"])))


def report(out: Path) -> list[Checked]:
    """Write the results and the page from the cells that are trained."""
    known = {}
    for cell in cells():
        path = out / "runs" / cell.name / OUTCOME
        if path.exists():
            known[cell.protocol, cell.delays, cell.speaker, cell.seed] = Outcome(**read_json(path))
    found = results(known)
    write_json(out / RESULTS, found)
    write_atomic(out / PAGE, page(found).encode())
    return check(found)


def _right(folder: Path, recipe: "SequenceRecipe") -> str:
    """For every test clip in order, "1" if the trained network, with integer delays, is right about it and else "0"."""
    import torch

    from ...data import loader
    from ...run_folder.checkpoint import load_checkpoint

    checkpoint, test = load_checkpoint(folder), recipe.data.load().test
    decision, right = checkpoint.decision, ""
    with torch.no_grad():
        for x, valid, y in loader(test, 64, tail_steps=decision.tail_steps(test.dt_ms)):
            guess = decision.evidence(checkpoint.model, x, valid)[:, -1].argmax(-1)
            right += "".join(str(int(hit)) for hit in guess == y)
    return right
