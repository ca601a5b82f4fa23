"""The fixtures of Dynamic Confidence, whose provenance stands beside them, as records."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dendrix.exits import ExitRecord
from support.paths import FIXTURES

FOLDER = FIXTURES


class Case(NamedTuple):
    """One fixture: its arrays, its outputs as a record, and which cells [N, T] hold a tie."""

    arrays: dict[str, np.ndarray]
    record: ExitRecord
    tie: Tensor


def arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of a fixture."""
    with np.load(FOLDER / f"dynconf_{name}.npz") as pack:
        return dict(pack)


def case(name: str) -> Case:
    """The fixture "small" or "ties"."""
    found = arrays(name)
    record = ExitRecord(torch.from_numpy(found["in_outputs"]).transpose(0, 1), torch.from_numpy(found["in_targets"]))
    return Case(found, record, torch.from_numpy(found["in_tie_mask"]).T)
