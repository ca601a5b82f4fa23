"""Trained networks shipped with dendrix: one run folder per network, with a model card in README.md."""

from pathlib import Path

__all__ = ["find_run", "shipped"]

_HERE = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """Return the names of the networks."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/config.json")))


def find_run(name: str | Path) -> Path:
    """Return the run folder of a path or of a shipped network.

    Args:
        name: existing path, or the name of a shipped network; anything else is returned unchanged, and opening it raises the error.
    """
    path = Path(name)
    return _HERE / path if not path.exists() and str(name) in shipped() else path
