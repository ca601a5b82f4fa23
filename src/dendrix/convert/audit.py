"""What happened to every part of a network that was converted."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Action = Literal["replaced", "folded", "averaged", "kept", "removed", "allowed"]


@dataclass(frozen=True)
class Entry:
    """One module or function of the network, in the order in which it runs."""

    path: str
    """Where it stands; a function is named after the module that calls it."""
    kind: str
    """Its class or function."""
    action: Action
    """replaced by a neuron, folded into the layer before it, averaged in place of a maximum, kept, removed, or kept on request."""
    threshold: float | tuple[float, ...] | None = None
    """The neuron's threshold; one per channel where they differ."""
    note: str = ""
    """What to know about it."""


@dataclass(frozen=True)
class Audit:
    """One entry for each module and function; `print` shows a table."""

    entries: tuple[Entry, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"entries": [asdict(entry) for entry in self.entries]}

    def with_action(self, action: Action) -> tuple[Entry, ...]:
        """The entries that met this fate."""
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
