"""Labelled data sets, their splits, and batches."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler

from ..core import expect, expect_fields
from ..core.numbers import mixed_seed
from ..errors import InputError


class Batch(NamedTuple):
    """Labelled inputs; sequences are padded at the end to one length."""

    x: Tensor
    """Sequences [B, T, C], zero in the padding; or images [B, C, H, W]."""
    valid: Tensor | None
    """bool [B, T], False in the padding; None if the inputs are not sequences."""
    y: Tensor
    """int64 [B]"""

    @property
    def mask(self) -> Tensor:
        """Valid steps, bool [B, T]; all if `valid` is None."""
        return torch.ones(self.x.shape[:2], dtype=torch.bool, device=self.x.device) if self.valid is None else self.valid

    def to(self, device: torch.device) -> "Batch":
        """Return a copy on a device."""
        return Batch(self.x.to(device), None if self.valid is None else self.valid.to(device), self.y.to(device))


class Hash(Protocol):
    """Incremental digest, as in `hashlib`."""

    def update(self, data: Any, /) -> object:
        """Add bytes, or an object with the buffer protocol."""


class Labelled(Protocol):
    """Protocol of one split of a data set, in memory or on disk."""

    @property
    def y(self) -> Tensor:
        """Class of each item, int64 [N]."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the K classes."""

    @property
    def dt_ms(self) -> float | None:
        """Length of a time step, in ms; None if steps have no duration."""

    def __len__(self) -> int: ...

    def subset(self, index: Tensor) -> Self:
        """Return the items `index`, int64 [M] or bool [N], in that order."""

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """Return batches of `size` items, in order and without augmentation; `tail_steps` as in `collate`."""

    def hash_into(self, digest: Hash) -> None:
        """Add all data on which training depends to a digest."""


Data = TypeVar("Data", bound=Labelled)


class Splits(NamedTuple, Generic[Data]):
    """Splits of a data set. Use `valid` to choose settings, and `test` only for reported results."""

    train: Data
    valid: Data
    test: Data

    def fingerprint(self) -> str:
        """Return the SHA-256 of the training and validation data."""
        digest = hashlib.sha256()
        for part in (self.train, self.valid):
            part.hash_into(digest)
        return digest.hexdigest()


def hash_tensor(digest: Hash, x: Tensor) -> None:
    """Add the bytes of a tensor to a digest."""
    digest.update(x.contiguous().numpy().data)


def evenly(count: int, most: int) -> Tensor:
    """Return at most `most` of `count` indices, int64, evenly spaced because data may be sorted by class."""
    return torch.linspace(0, count - 1, min(most, count)).round().long()


@dataclass(frozen=True)
class Dataset:
    """Labelled sequences of different lengths: a map-style torch data set whose item i is the pair (x [T_i, C], y []).

    Args:
        x: one sequence per item, [T_i, C]. Integer sequences, such as spike counts stored as bytes, become float32 when an item is read.
        y: class of each item, int64 [N].
        labels: names of the K classes.
        dt_ms: length of one time step, in ms.
        speaker: speaker of each item, int64 [N]; None if unknown.
    Raises:
        InputError: there is no sequence, the numbers of sequences, classes and speakers differ, a class has no name, the sequences differ
            in the number of channels, or dt_ms is not positive.
    """

    x: Sequence[Tensor]
    y: Tensor
    labels: tuple[str, ...]
    dt_ms: float
    speaker: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.x) == 0:
            raise InputError("x: expected at least one sequence, got none. Check the split or the requested subset.")
        expect_fields(self, dt_ms="(0, inf)")
        expect(self.y, "N", "y", N=len(self.x))
        if self.speaker is not None:
            expect(self.speaker, "N", "speaker", N=len(self.x))
        for number, sequence in enumerate(self.x):
            expect(sequence, "T C", f"x, item {number}", C=self.x[0].shape[-1])
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
        """Number of channels C of every sequence."""
        return self.x[0].shape[1]

    def subset(self, index: Tensor) -> "Dataset":
        """Return the items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        speaker = None if self.speaker is None else self.speaker[chosen]
        return replace(self, x=[self.x[i] for i in chosen.tolist()], y=self.y[chosen], speaker=speaker)

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """Return batches in order and without augmentation, as `Labelled.batches`."""
        return loader(self, size, tail_steps=tail_steps)

    def hash_into(self, digest: Hash) -> None:
        """Add all sequences and classes to a digest."""
        for x in self.x:
            digest.update(str(tuple(x.shape)).encode())
            hash_tensor(digest, x)
        hash_tensor(digest, self.y)


def collate(samples: Sequence[tuple[Tensor, Tensor]], tail_steps: int = 0) -> Batch:
    """Pad sequences into a batch.

    Args:
        samples: pairs of x [T_i, C] and y [].
        tail_steps: valid zero steps appended to every sequence, so that delayed spikes still reach the readout.
    Raises:
        InputError: `tail_steps` is negative.
    """
    if tail_steps < 0:
        raise InputError(f"tail_steps: expected at least 0, got {tail_steps}. Use 0 for no tail.")
    lengths = torch.tensor([len(x) + tail_steps for x, _ in samples])
    x = pad_sequence([x for x, _ in samples], batch_first=True)
    x = torch.nn.functional.pad(x, (0, 0, 0, tail_steps))
    valid = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
    return Batch(x, valid, torch.stack([y for _, y in samples]))


class ShuffledBatches(Sampler[list[int]]):
    """Random batches of items of similar length, which keeps padding small.

    Items are shuffled, divided into pools of `pool` batches, sorted by length within each pool and divided into batches; the batches are
    shuffled again. The order depends on `seed` and `epoch` only, so a resumed run sees the same batches.

    Args:
        lengths: length of each item, in steps.
        batch_size: B; the last batch may be smaller.
        seed: seed of the order.
        pool: batches per pool; 1 ignores the lengths.
    Raises:
        InputError: `batch_size` or `pool` is below 1.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, pool: int = 8):
        if batch_size < 1 or pool < 1:
            raise InputError(f"batch_size and pool: expected at least 1, got {batch_size} and {pool}. Use 1 for single items.")
        self.lengths = torch.tensor(lengths)
        self.batch_size, self.seed, self.pool = batch_size, seed, pool
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Select the order of an epoch; call it before each pass over the data."""
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
    """Create a torch DataLoader that yields `Batch`.

    Args:
        dataset: data set to iterate over.
        batch_size: B.
        tail_steps: as in `collate`.
        seed: seed of the shuffling; call `loader.batch_sampler.set_epoch(n)` before epoch n. None keeps the order of the data set.
    Raises:
        InputError: `batch_size` is below 1 and a seed is given.
    """
    join = partial(collate, tail_steps=tail_steps)
    if seed is None:
        return DataLoader(dataset, batch_size, collate_fn=join)  # type: ignore[arg-type]
    batches = ShuffledBatches([len(x) for x in dataset.x], batch_size, seed)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=join)  # type: ignore[arg-type]
