"""A published training and a clean one of the same network, each scored on the clips for testing, beside what was published."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...recipes import find_recipe
from ...recipes.claims import CLAIMS, PublishedAccuracy
from ..claim import Checked

if TYPE_CHECKING:
    from ...train.sequence.recipe import SequenceRecipe

PAGE = "protocols.md"


def side_by_side(name: str, out: Path, epochs: int | None = None) -> list[Checked]:
    """Train `name`:published and `name`, and score both on the clips for testing. A run that is complete is not trained again.

    Args:
        name: a recipe that has a variant `published`.
        out: folder of the page and the two runs, which go on where they were.
        epochs: instead of the published number; the result is then no reproduction, and says so.
    Raises:
        OSError, ValueError: the data are not there or are damaged; nothing is written then.
    """
    from ...core.files import write_atomic  # here and below, not above: they load torch

    trained = [f"{name}:published", name]
    _recipe(name).data.load()  # what is missing is said before anything is written
    checked = [_checked(each, out / "runs" / each.replace(":", "-"), epochs) for each in trained]
    write_atomic(out / PAGE, _page(name, checked).encode())
    return checked


def _recipe(name: str) -> "SequenceRecipe":
    return cast("SequenceRecipe", find_recipe(name)())


def _checked(name: str, folder: Path, epochs: int | None) -> Checked:
    from ...run_folder.record import caveat
    from ...runs.evaluation import evaluate_run
    from ...train.command import TrainRun, train_run

    recipe, claim = _recipe(name), CLAIMS.get(name)
    full = recipe.budget.epochs
    budget = replace(recipe.budget, epochs=full if epochs is None else epochs)
    record, _ = train_run(TrainRun(replace(recipe, budget=budget), folder, resume=True), name)
    accuracy = 100 * evaluate_run(folder, "test").accuracy
    passed, verdict = _judge(claim, accuracy)
    if epochs not in (None, full):
        passed, verdict = True, f"not the claim: trained for {epochs} of {full} epochs"
    return Checked(
        where=claim.source if claim else "ours",
        says=f"accuracy in %{', ' + claim.protocol if claim else ''}",
        published=claim.percent if claim else "",
        call=f"dendrix train {name}",
        computed=accuracy,
        verdict=f"{verdict}. {caveat(record['recipe'])}".rstrip(),
        note=f"{claim.percent} {claim.checked}" if claim else "",
        passed=passed,
    )


def _judge(claim: PublishedAccuracy | None, accuracy: float) -> tuple[bool, str]:
    if claim is None:
        return True, "nothing published under this protocol"
    off = accuracy - float(claim.percent)
    agrees = abs(off) <= claim.tolerance
    return agrees, f"{'agrees' if agrees else 'differs'}: {off:+.2f} points, tolerance {claim.tolerance:g}"


def _page(name: str, checked: list[Checked]) -> str:
    rows = "".join(
        f"| `{result.call}` | {result.published} | {result.computed:.2f} | {result.verdict} | {result.where} | {result.note} |\n"
        for result in checked
    )
    return (
        f"# {name}: the published protocol and a clean one\n\n"
        "Accuracies on the clips for testing, in %, counted over clips; delays are integers. One seed each.\n\n"
        "| training | published | here | verdict | source | checked |\n|---|---|---|---|---|---|\n" + rows
    )
