"""Names and folders of the networks that are shipped with dendrix."""

from pathlib import Path

from ..errors import InputError

_HERE = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """Return the names of the networks."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/config.json")))


def titles() -> dict[str, str]:
    """Return what each network is for, by its name: the headings of their cards, such as "spoken English digits"."""
    cards = ((_HERE / name / "README.md").read_text().partition("\n")[0] for name in shipped())
    return dict(card.removeprefix("# ").split(": ", 1) for card in cards)


def is_shipped(folder: Path) -> bool:
    """Return whether a run folder is that of a shipped network."""
    return folder.parent == _HERE and folder.name in shipped()


def find_run(name: str | Path) -> Path:
    """Return the run folder of a path or of a shipped network.

    Args:
        name: path, or the name of a shipped network; anything else is returned unchanged, and opening it raises the error.
    Raises:
        InputError: it is the name of a shipped network and of a run in the current folder. A folder that is not a run is ignored.
    """
    path = Path(name)
    if str(path) not in shipped():
        return path
    if (path / "config.json").exists():
        raise InputError(
            f"{path}: expected one network, but a run here and one that comes with dendrix have this name. Rename the folder, or give it "
            f"as {path.absolute()}."
        )
    return _HERE / path
