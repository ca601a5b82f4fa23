"""Names and files of the recordings that are shipped with dendrix."""

from pathlib import Path

from ..checks import suggestion
from ..errors import InputError

_HERE = Path(__file__).parent


def samples() -> tuple[str, ...]:
    """Return the names of the recordings, such as "7_theo_0.wav": the digit, the speaker and the take."""
    return tuple(sorted(path.name for path in _HERE.glob("*/*.wav")))


def recording(path: Path) -> Path:
    """Return a path, or the shipped recording of this name if there is no such file."""
    return find_sample(path.name) if not path.exists() and str(path) in samples() else path


def find_sample(name: str) -> Path:
    """Return the WAV file of a recording.

    Args:
        name: one of `samples()`, with or without `.wav`.
    Raises:
        InputError: there is no recording with this name.
    """
    file = f"{name.removesuffix('.wav')}.wav"
    if file not in samples():
        raise InputError(f"name: expected a recording such as '7_theo_0.wav', got '{name}'.{suggestion(file, samples())}")
    return next(_HERE.glob(f"*/{file}"))
