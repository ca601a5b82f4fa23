"""Handwritten digits of scikit-learn as spike trains, row by row. A small task that requires memory over time and no download."""

import torch
from torch import Tensor

from ...errors import InputError, MissingExtraError
from ..base import Dataset, Splits

_GREYS = 16


def latency_code(images: Tensor, row_steps: int) -> Tensor:
    """Encode images as spikes: one window per row, one channel per column, and earlier spikes for brighter pixels.

    A pixel of intensity v > 0 fires once, round((1 - v / 16) * (row_steps - 1)) steps after the start of the window of its row; v = 0 does
    not fire.

    Args:
        images: intensities 0 to 16, [N, R, C].
        row_steps: length of the window of one row, in steps.
    Returns:
        spikes [N, R * row_steps, C] in {0, 1}.
    Source: ours; latency coding after Thorpe & Gautrais (1998), "Rank order coding".
    """
    latency = ((1 - images / _GREYS) * (row_steps - 1)).round().long()
    spikes = torch.nn.functional.one_hot(latency, row_steps) * (images > 0).unsqueeze(-1)
    return spikes.transpose(2, 3).flatten(1, 2).to(torch.float32)


def digits(row_steps: int = 8, dt_ms: float = 1.0, seed: int = 0) -> Splits[Dataset]:
    """Load 1,797 digits of 8 x 8 pixels as spikes, [8 * row_steps, 8] each; a fifth of each class is for validation and a fifth for
    testing.

    All rows use the same eight channels and no single row identifies a digit, so a network must combine input from different times.

    Args:
        row_steps: length of the window of one row, in steps.
        dt_ms: length of a time step, in ms.
        seed: seed of the split.
    Raises:
        MissingExtraError: scikit-learn is not installed.
        InputError: `row_steps` is below 2, the smallest window with more than one latency.
    Source: Alpaydin & Kaynak (1998), "Optical recognition of handwritten digits", UCI; through `sklearn.datasets.load_digits`.
    """
    if row_steps < 2:
        raise InputError(f"row_steps: expected at least 2, got {row_steps}. Use more steps: intensity is encoded as latency within them.")
    try:
        from sklearn.datasets import load_digits
    except Exception as missing:
        raise MissingExtraError.of("The digits come with", "scikit-learn", "train", missing) from missing
    pack = load_digits()
    spikes = latency_code(torch.from_numpy(pack.images), row_steps)
    y = torch.from_numpy(pack.target).long()
    data = Dataset(list(spikes), y, tuple(str(name) for name in pack.target_names), dt_ms)
    # Fifths of a random order within each class: 0 for testing, 1 for validation, the others for training.
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    rank = torch.empty_like(y)
    for digit in range(len(data.labels)):
        members = order[y[order] == digit]
        rank[members] = torch.arange(len(members))
    part = rank % 5
    return Splits(data.subset(part > 1), data.subset(part == 1), data.subset(part == 0))
