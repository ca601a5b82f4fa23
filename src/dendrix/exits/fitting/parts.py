"""Disjoint parts of a record: the inputs that choose the settings of a rule must not certify its threshold."""

import hashlib
from collections import Counter
from dataclasses import dataclass, fields
from itertools import combinations

import torch

from ...errors import InputError
from ..records import ExitRecord


@dataclass(frozen=True)
class Parts:
    """Up to three disjoint records of one network.

    Args:
        certification: chooses the threshold; a guarantee is based on this part only.
        selection: chooses the scale; None if the scale is given.
        fit: fits thresholds per step and compares rules; None if there is nothing to fit.
    """

    certification: ExitRecord
    selection: ExitRecord | None = None
    fit: ExitRecord | None = None

    def __post_init__(self) -> None:
        for (name, one), (other_name, other) in combinations(self.records.items(), 2):
            _expect_disjoint(one, name, other, other_name)

    @property
    def records(self) -> dict[str, ExitRecord]:
        """The parts that are not None, by name."""
        return {field.name: part for field in fields(self) if (part := getattr(self, field.name)) is not None}

    @property
    def sizes(self) -> dict[str, int]:
        """Number of inputs of each part; 0 for one that is None."""
        return {field.name: len(self.records.get(field.name, ())) for field in fields(self)}


def split(record: ExitRecord, selection: bool, fit: bool, seed: int, share: float = 0.5, groups: torch.Tensor | None = None) -> Parts:
    """Split the inputs of a record at random.

    Args:
        record: N inputs.
        selection, fit: which parts are needed beside the certification.
        seed: seed of the split.
        share: share of the inputs, or groups, for these parts together.
        groups: group of each input, int64 [N], if groups must not be divided.
    """
    if not selection and not fit:
        return Parts(record)
    units = torch.arange(len(record)) if groups is None else torch.tensor(sorted(set(groups.tolist())))
    if len(units) < 4:
        what = "inputs" if groups is None else "groups"
        raise InputError(
            f"record: expected at least 4 {what} to choose settings on some and a threshold on others, got {len(units)}. Record more."
        )
    order = units[torch.randperm(len(units), generator=torch.Generator().manual_seed(seed))]
    taken = max(int(share * len(units)), 2)
    rest = order[:taken]
    first, second = (rest[: taken // 2], rest[taken // 2 :]) if selection and fit else (rest, rest)

    def of(chosen: torch.Tensor) -> ExitRecord:
        return record.subset(chosen if groups is None else torch.isin(groups, chosen))

    return Parts(of(order[taken:]), of(first) if selection else None, of(second) if fit else None)


def kind(record: ExitRecord) -> dict[str, object]:
    """Properties that records must share to be used together."""
    _, steps, classes = record.outputs.shape
    return {"steps": steps, "classes": classes, "accumulation": record.accumulation, "dt_ms": record.dt_ms, "model": record.model}


def digest(record: ExitRecord) -> str:
    """Hash of the outputs, labels and lengths of a record, by which a policy recognises the inputs it was fitted on."""
    mixed = hashlib.sha256()
    for values in (record.outputs, record.labels, record.lengths):
        mixed.update(b"none" if values is None else values.contiguous().numpy().tobytes())
    return mixed.hexdigest()[:32]


def _expect_disjoint(one: ExitRecord, name: str, other: ExitRecord, other_name: str) -> None:
    if kind(one) != kind(other):
        raise InputError(f"{other_name}: expected {kind(one)}, as {name} has, got {kind(other)}. Record them alike.")
    ours, theirs = _unique_outputs(one), _unique_outputs(other)
    again = len(ours & theirs)
    # Outputs that are spike counts coincide by chance, but then within a record as often as between two.
    if again > 5 + len(one) - len(ours) + len(other) - len(theirs):
        raise InputError(
            f"{other_name}: expected other inputs than in {name}, but {again} of {len(other)} are the same. "
            "A guarantee is void on inputs that chose the settings; use disjoint parts."
        )


def _unique_outputs(record: ExitRecord) -> set[bytes]:
    """Outputs that only one input of the record has; those of silent inputs often coincide."""
    times = Counter(row.tobytes() for row in record.outputs.numpy())
    return {row for row, count in times.items() if count == 1}
