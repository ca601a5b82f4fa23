"""Code cells of the tutorials, run without a notebook server."""

import re
from pathlib import Path

CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```", re.MULTILINE | re.DOTALL)


def cells(page: Path) -> list[str]:
    """The code of every cell, without the options above it."""
    return [without_options(cell) for cell in CELL.findall(page.read_text(encoding="utf-8"))]


def without_options(cell: str) -> str:
    while cell.startswith((":", "\n")):
        cell = cell.partition("\n")[2]
    return cell


def run(page: Path) -> dict[str, object]:
    """Run the cells in one namespace, and return it."""
    names: dict[str, object] = {"__name__": "notebook"}
    for number, cell in enumerate(cells(page), 1):
        exec(compile(cell, f"{page.name}, cell {number}", "exec"), names)
    return names
