"""A published training and a clean one of the same network, each scored on the test clips and compared with its published accuracy."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypedDict, cast

from ...recipes import find_recipe
from ...recipes.claims import CLAIMS
from ...run_folder.record import caveat, read_record
from ...runs.evaluation import evaluate_run
from ...train.sequence.recipe import SequenceRecipe
from ..claim import Checked
from ..study import Cell, Results, Study

PAGE, RESULTS = "protocols.md", "protocols.json"


class Outcome(TypedDict):
    """Score of one training."""

    accuracy: float
    """On the test clips, in %."""
    epochs: int
    """Of the training, at most."""
    caveat: str
    """Warning that belongs to the accuracy; empty for most."""


def side_by_side(name: str, out: Path, epochs: int | None = None, jobs: int = 1) -> list[Checked]:
    """Train `name`:published and `name`, and score both on the test clips.

    Args:
        name: a recipe that has a variant `published`.
        out: folder of the page and the two runs; unfinished runs continue, complete runs are not trained again.
        epochs: number of epochs instead of the published one; a trial, in which nothing is checked.
        jobs: number of trainings at a time.
    Raises:
        OSError, InputError: the data are missing or damaged; then nothing is written.
    """
    _recipe(name).data.load()
    study = Study(RESULTS, PAGE, partial(_cells, name), _results, partial(_page, name), _check)
    return study.reproduce(out, epochs, jobs)


def _recipe(name: str) -> SequenceRecipe:
    return cast(SequenceRecipe, find_recipe(name)())


def _cells(name: str, _: Path) -> list[Cell]:
    return [Cell(each.replace(":", "-"), (each,), _score, _recipe(each), each) for each in (f"{name}:published", name)]


def _score(_: Cell, folder: Path) -> Outcome:
    recipe = read_record(folder)["recipe"]
    return Outcome(accuracy=100 * evaluate_run(folder, "test").accuracy, epochs=recipe["budget"]["epochs"], caveat=caveat(recipe))


def _results(known: Mapping[tuple[str], Outcome]) -> Results:
    return {name: outcome for (name,), outcome in known.items()}


def _check(found: Results) -> list[Checked]:
    return [_checked(name, outcome) for name, outcome in found.items()]


def _checked(name: str, outcome: Outcome) -> Checked:
    accuracy, full, claim = outcome["accuracy"], _recipe(name).budget.epochs, CLAIMS.get(name)
    if outcome["epochs"] != full:
        passed, verdict = None, f"trial of {outcome['epochs']} of {full} epochs"
    elif claim is None:
        passed, verdict = None, "no published number for this protocol"
    else:
        off = accuracy - float(claim.percent)
        passed = abs(off) <= claim.tolerance
        verdict = f"{'agrees' if passed else 'differs'}: {off:+.2f} points, tolerance {claim.tolerance:g}"
    return Checked(
        where=claim.source if claim else "ours",
        says=f"accuracy in %{', ' + claim.protocol if claim else ''}",
        published=claim.percent if claim else "",
        call=f"dendrix train {name}",
        computed=accuracy,
        verdict=f"{verdict}. {outcome['caveat']}".rstrip(),
        note=f"{claim.percent} {claim.checked}" if claim else "",
        passed=passed,
    )


def _page(name: str, found: Results) -> str:
    rows = "".join(
        f"| `{one.call}` | {one.published} | {one.computed:.2f} | {one.verdict} | {one.where} | {one.note} |\n" for one in _check(found)
    )
    return (
        f"# {name}: the published protocol and a clean one\n\n"
        "Accuracies on the test clips in %, averaged over clips; delays are integers. One seed each.\n\n"
        "| training | published | here | verdict | source | checked |\n|---|---|---|---|---|---|\n" + rows
    )
