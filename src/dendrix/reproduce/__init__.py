"""`dendrix reproduce NAME`: published results made again, each number beside its source and what became of it."""

from importlib import import_module
from pathlib import Path

from .claim import Checked as Checked
from .claim import Claim as Claim

REPRODUCTIONS = {"sdr": "Every figure and quoted number of Ahmad & Hawkins (2016), as published and corrected."}
"""What can be reproduced, each in the file of that name."""


def reproduce(name: str, out: Path) -> list[Checked]:
    """Make a published result again: figures and a page of findings in the folder `out`, and each claim checked.

    Args:
        name: a key of `REPRODUCTIONS`.
        out: the folder; it is made if it is not there.
    """
    checked: list[Checked] = import_module(f".{name}", __name__).reproduce(out)
    return checked
