"""Audit of a conversion: one entry for each part of the network."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Action = Literal["replaced", "folded", "averaged", "kept", "removed", "allowed"]


@dataclass(frozen=True)
class Entry:
    """One module or function of the network."""

    path: str
    """Path of the module; a function is named after the module that calls it."""
    kind: str
    """Name of its class, or "function"."""
    action: Action
    """replaced by neurons, folded into the layer before it, averaged instead of a maximum, kept, removed, or allowed by the caller."""
    threshold: float | tuple[float, ...] | None = None
    """Threshold of the neurons; one per channel where they differ."""
    note: str = ""
    """Reasons and warnings."""


@dataclass(frozen=True)
class Audit:
    """Entries of all modules and functions, in the order in which they run; `print` shows a table."""

    entries: tuple[Entry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"entries": [asdict(entry) for entry in self.entries]}

    def with_action(self, action: Action) -> tuple[Entry, ...]:
        """Entries with the given action."""
        return tuple(entry for entry in self.entries if entry.action == action)

    def __str__(self) -> str:
        rows = [("path", "kind", "action", "threshold", "note")]
        rows += [(entry.path, entry.kind, entry.action, _shown(entry.threshold), entry.note) for entry in self.entries]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _shown(threshold: float | tuple[float, ...] | None) -> str:
    if threshold is None:
        return ""
    return f"{threshold:.4g}" if isinstance(threshold, float) else f"{min(threshold):.4g} to {max(threshold):.4g}"
