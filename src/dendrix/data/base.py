"""Encoded data in memory, and the batches made of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler

from ..core import expect, expect_fields
from ..core.numbers import mixed_seed
from ..errors import InputError


@dataclass(frozen=True)
class Dataset:
    """Labelled sequences of unequal length. `dataset[i]` is one pair (x [T_i, C], y []), so a torch DataLoader takes it as it is.

    Args:
        x: one sequence for each item, [T_i, C]; integers, such as spike counts in bytes, become float32 when an item is taken.
        y: the class of each item, int64 [N].
        labels: the names of the K classes.
        dt_ms: the length of one time step, in ms.
    Raises:
        ValueError: sequences and classes differ in number, a class has no name, sequences differ in channels, or dt_ms is not positive.
    """

    x: Sequence[Tensor]
    y: Tensor
    labels: tuple[str, ...]
    dt_ms: float

    def __post_init__(self) -> None:
        if len(self.x) == 0:
            raise InputError("x: expected at least one sequence, got none. Check the split or the subset that was asked for.")
        expect_fields(self, dt_ms="(0, inf)")
        expect(self.y, "N", "y", N=len(self.x))
        for sequence in self.x:
            expect(sequence, "T C", "x", C=self.x[0].shape[1])
        if int(self.y.min()) < 0 or int(self.y.max()) >= len(self.labels):
            raise InputError(
                f"y: expected classes 0 to {len(self.labels) - 1}, got {int(self.y.min())} to {int(self.y.max())}. Check labels."
            )

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x = self.x[index]
        return x if x.is_floating_point() else x.float(), self.y[index]

    @property
    def channels(self) -> int:
        """C, the width of every sequence."""
        return self.x[0].shape[1]

    def subset(self, index: Tensor) -> "Dataset":
        """The items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        return replace(self, x=[self.x[i] for i in chosen.tolist()], y=self.y[chosen])


class Splits(NamedTuple):
    """The three parts of a data set. Choose settings on `valid`; `test` is for the figure that is reported."""

    train: Dataset
    valid: Dataset
    test: Dataset


class Batch(NamedTuple):
    """Sequences padded at the end to one length."""

    x: Tensor
    """[B, T, C], zero where there is no input."""
    valid: Tensor
    """bool [B, T]: the steps that count."""
    y: Tensor
    """int64 [B]"""


def collate(samples: Sequence[tuple[Tensor, Tensor]], tail_steps: int = 0) -> Batch:
    """Pad sequences into a batch.

    Args:
        samples: pairs of x [T_i, C] and y [].
        tail_steps: silent steps that still count after each sequence's own end, so that delayed spikes reach the read-out.
    """
    if tail_steps < 0:
        raise InputError(f"tail_steps must be at least 0, got {tail_steps}.")
    lengths = torch.tensor([len(x) + tail_steps for x, _ in samples])
    x = pad_sequence([x for x, _ in samples], batch_first=True)
    x = torch.nn.functional.pad(x, (0, 0, 0, tail_steps))
    valid = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
    return Batch(x, valid, torch.stack([y for _, y in samples]))


class ShuffledBatches(Sampler[list[int]]):
    """Random batches of items of similar length, so that little of a batch is padding.

    Items are shuffled, cut into pools of `pool` batches, sorted by length inside each pool and cut into batches, which are
    shuffled again. The order depends on `seed` and `epoch` alone: a run that is resumed sees what it would have seen.

    Args:
        lengths: the length of each item, in steps.
        batch_size: B; the last batch may be smaller.
        seed: of the order.
        pool: batches per pool; 1 ignores the lengths.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, pool: int = 8):
        if batch_size < 1 or pool < 1:
            raise InputError(f"batch_size and pool must be at least 1, got {batch_size} and {pool}.")
        self.lengths = torch.tensor(lengths)
        self.batch_size, self.seed, self.pool = batch_size, seed, pool
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; call it before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, self.epoch))
        order = torch.randperm(len(self.lengths), generator=generator)
        batches: list[Tensor] = []
        for pool in torch.split(order, self.pool * self.batch_size):
            by_length = pool[self.lengths[pool].argsort(stable=True)]
            batches += torch.split(by_length, self.batch_size)
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[i].tolist()


def loader(dataset: Dataset, batch_size: int, *, tail_steps: int = 0, seed: int | None = None) -> DataLoader[Any]:
    """A torch DataLoader that yields `Batch`.

    Args:
        dataset: what to iterate over.
        batch_size: B.
        tail_steps: as in `collate`.
        seed: shuffle with this seed (`loader.batch_sampler.set_epoch(n)` before epoch n); None keeps the order.
    """
    join = partial(collate, tail_steps=tail_steps)
    if seed is None:
        return DataLoader(dataset, batch_size, collate_fn=join)  # type: ignore[arg-type]
    batches = ShuffledBatches([len(x) for x in dataset.x], batch_size, seed)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=join)  # type: ignore[arg-type]
