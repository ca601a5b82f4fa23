"""The command `list`: recipes by task, with their data and training time."""

import json as text
import os
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..checks import suggestion
from ..errors import MisuseError
from ..pretrained import titles
from ..recipes import Listed, recipes
from ..recipes.requirements import REQUIREMENTS
from .output import print_json

Word = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WORD")]
_NARROWEST, _NAME = 40, 34
"""Smallest width of a line, and columns of a name; a longer name has the line for itself."""


def list_recipes(word: Word = "", json: bool = False) -> None:
    """List the recipes that can be trained, by task: what data each needs, whether they were found, and how long the training takes.

    Args:
        word: list only recipes with this word in their name, task, data or description.
        json: print JSON.
    """
    every = recipes()
    chosen = [listed for listed in every if word.lower() in _all_text(listed)]
    if not chosen:
        tasks = dict.fromkeys(listed.needs.task for listed in every)
        raise MisuseError(
            f"word: expected a part of the name, task, data or description of a recipe, got '{word}'."
            f"{suggestion(word, tasks)} The tasks are {', '.join(tasks)}."
        )
    here = _trained_here(Path("runs"))
    root = os.environ.get("DENDRIX_DATA")
    if json:
        print_json([_as_dict(listed, root, here) for listed in chosen])
        return
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    print("\n".join(_lines(chosen, root, here, width)))


def _all_text(listed: Listed) -> str:
    return f"{listed.name} {listed.needs.task} {listed.needs.data} {listed.summary}".lower()


def _as_dict(listed: Listed, root: str | None, here: dict[str, float]) -> dict[str, Any]:
    needs = listed.needs
    return {
        "name": listed.name,
        "task": needs.task,
        "summary": listed.summary,
        "claim": listed.claim,
        "data": needs.data,
        "data_found": needs.present(root),
        "fetch": needs.fetch or None,
        "minutes": needs.minutes if ":" not in listed.name else None,
        "minutes_here": here.get(listed.name),
    }


def _lines(chosen: Sequence[Listed], root: str | None, here: dict[str, float], width: int) -> Iterator[str]:
    order = list(dict.fromkeys(needs.task for needs in REQUIREMENTS.values()))
    for task in sorted({listed.needs.task for listed in chosen}, key=lambda task: order.index(task) if task in order else len(order)):
        yield task.capitalize()
        file = ""
        for listed in (each for each in chosen if each.needs.task == task):
            yield from _entry(listed.name, _said(listed), width)
            if file != (file := listed.name.partition(":")[0]):
                yield from _wrapped(_about(listed, root, here), width, " " * 4)
            elif listed.name in here:
                yield from _wrapped(f"{here[listed.name]:.0f} min here", width, " " * 4)
        yield ""
    yield "Shipped networks"
    for name, title in titles().items():
        yield from _entry(name, f"{title[:1].upper()}{title[1:]}.", width)
    yield ""
    yield from _wrapped("Next: dendrix train RECIPE, or dendrix predict NETWORK FILE", width, "")


def _said(listed: Listed) -> str:
    """What the recipe trains, and the figure that was published for it."""
    return f"{listed.summary} Published: {listed.claim}." if listed.claim else listed.summary


def _entry(name: str, said: str, width: int) -> Iterator[str]:
    """The name, whole, then the description beside or below it."""
    if len(name) < _NAME and width >= 2 * _NAME:
        yield from _wrapped(said, width, " " * (_NAME + 2), f"  {name:<{_NAME}}")
    else:
        yield f"  {name}"
        yield from _wrapped(said, width, " " * 4)


def _about(listed: Listed, root: str | None, here: dict[str, float]) -> str:
    """The data that the recipe needs, and the duration of its training."""
    needs = listed.needs
    if not needs.data:
        return "data: see its package"
    get = f", get it: dendrix fetch {needs.fetch}" if needs.fetch else ", set DENDRIX_DATA to its folder"
    state = "included" if not needs.files else "found" if needs.present(root) else f"not found{get}"
    minutes = "training time not measured" if needs.minutes is None else f"training {needs.minutes:g} min on one core"
    own = f", {here[listed.name]:.0f} min here" if listed.name in here else ""
    return f"data: {needs.data} ({state}); {minutes}{own}"


def _wrapped(said: str, width: int, indent: str, first: str | None = None) -> list[str]:
    wrapped = textwrap.wrap(
        said,
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [first or indent]


def _trained_here(folder: Path) -> dict[str, float]:
    """Minutes of the complete runs in a folder, by recipe."""
    found = dict[str, float]()
    for path in folder.glob("*/run.json"):
        try:
            record = text.loads(path.read_text())
            if (record.get("progress") or {}).get("stopped") == "finished":
                found[str(record["name"])] = float(record["seconds"]) / 60
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a folder of another program
            continue
    return found
