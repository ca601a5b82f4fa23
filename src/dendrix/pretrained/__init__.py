"""Trained networks that come with dendrix: one folder each, like that of a run, with a README.md that says what to expect of it."""

from pathlib import Path

__all__ = ["find_run", "shipped"]

_HERE = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """The names of these networks."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/config.json")))


def find_run(name: str | Path) -> Path:
    """The folder that a user means: a path that exists, or else a network that comes with dendrix.

    A name that is neither comes back as it is; who opens it says so.
    """
    path = Path(name)
    return _HERE / path if not path.exists() and str(name) in shipped() else path
