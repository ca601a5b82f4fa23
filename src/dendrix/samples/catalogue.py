"""Names and files of the samples that are shipped with dendrix."""

from pathlib import Path

from ..checks import suggestion
from ..errors import InputError

_HERE = Path(__file__).parent
_ENDINGS = (".wav", ".ogg", ".png", ".txt")


def samples(network: str = "fsdd") -> tuple[str, ...]:
    """Return the names of the samples for a shipped network.

    Args:
        network: fsdd has recordings such as "7_theo_0.wav": the digit, the speaker and the take; commands has recordings such as
            "stop_14_1.ogg": the word, the speaker and the take; cifar10 has drawings such as "ship.png"; novels has texts.
    """
    return tuple(sorted(path.name for path in _HERE.glob(f"{network}/*") if path.suffix in _ENDINGS))


def sample(path: Path) -> Path:
    """Return a path, or the shipped sample of this name if there is no such file."""
    return find_sample(path.name) if not path.exists() and str(path) in _every() else path


def find_sample(name: str) -> Path:
    """Return the file of a sample.

    Args:
        name: name of a sample of any network, with its ending; `.wav` can be left out.
    Raises:
        InputError: there is no sample with this name.
    """
    file = name if name.endswith(_ENDINGS) else f"{name}.wav"
    if file not in (known := _every()):
        raise InputError(f"name: expected a sample such as '7_theo_0.wav' or 'ship.png', got '{name}'.{suggestion(file, known)}")
    return next(_HERE.glob(f"*/{file}"))


def _every() -> tuple[str, ...]:
    return samples("*")
