"""The handwritten digits that scikit-learn carries, sent row by row as spikes: needs memory over time, and no download."""

import torch
from torch import Tensor

from ...errors import InputError, MissingExtraError
from ..base import Dataset, Splits

_GREYS = 16


def latency_code(images: Tensor, row_steps: int) -> Tensor:
    """Send images row after row, one channel per column; within a row's window a brighter pixel fires earlier.

    A pixel of grey v > 0 fires once, round((1 - v / 16) * (row_steps - 1)) steps into the window of its row; v = 0 is silent.

    Args:
        images: greys 0 to 16, [N, R, C].
        row_steps: the window of one row, in steps.
    Returns:
        spikes [N, R * row_steps, C] in {0, 1}.
    Source: ours; latency coding after Thorpe & Gautrais (1998), "Rank order coding".
    """
    latency = ((1 - images / _GREYS) * (row_steps - 1)).round().long()
    spikes = torch.nn.functional.one_hot(latency, row_steps) * (images > 0).unsqueeze(-1)
    return spikes.transpose(2, 3).flatten(1, 2).to(torch.float32)


def digits(row_steps: int = 8, dt_ms: float = 1.0, seed: int = 0) -> Splits[Dataset]:
    """1,797 digits of 8 x 8 pixels as spikes, [8 * row_steps, 8] each; one fifth of every class is for validation, one for testing.

    No single row tells a digit and every row enters by the same eight channels, so a network must combine what it saw at
    different times.

    Args:
        row_steps: the window of one row, in steps.
        dt_ms: the length of a step, in ms.
        seed: of the split.
    Raises:
        ImportError: scikit-learn is missing.
        ValueError: `row_steps` is below 2: latencies need at least two steps.
    Source: Alpaydin & Kaynak (1998), "Optical recognition of handwritten digits", UCI; through `sklearn.datasets.load_digits`.
    """
    if row_steps < 2:
        raise InputError(f"row_steps: expected at least 2, got {row_steps}. Intensity is coded as latency inside the window.")
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise MissingExtraError("The digits come with scikit-learn, which is not installed: pip install dendrix[train].") from missing
    pack = load_digits()
    spikes = latency_code(torch.from_numpy(pack.images), row_steps)
    y = torch.from_numpy(pack.target).long()
    data = Dataset(list(spikes), y, tuple(str(name) for name in pack.target_names), dt_ms)
    # Within each class, fifths of a random order: 0 is for testing, 1 for validation, the others for training.
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    rank = torch.empty_like(y)
    for digit in range(len(data.labels)):
        members = order[y[order] == digit]
        rank[members] = torch.arange(len(members))
    part = rank % 5
    return Splits(data.subset(part > 1), data.subset(part == 1), data.subset(part == 0))
