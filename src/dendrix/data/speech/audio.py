"""Sound from files: reading, checking and resampling. The one place that imports soundfile and soxr."""

import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, MissingExtraError

Wave = NDArray[np.float32]
"""Mono samples, [N], full scale at 1."""
_LOUDEST = 1e6
"""A larger sample is no sound, and its energy may be more than float32 can hold."""


def read_wav(path: str | Path, longest_s: float = math.inf) -> tuple[Wave, int]:
    """Read a wav file of any sample format and rate; several channels become their mean.

    Args:
        path: the file.
        longest_s: refuse a longer one before its samples are read.
    Returns:
        the samples [N], float32 with full scale at 1, and their rate in Hz.
    Raises:
        OSError: there is no such file, it is a folder, or it may not be read.
        ValueError: it is empty, cut short, too long, not a wav file, or holds NaN, infinity or samples far beyond full scale.
        ImportError: soundfile is missing.
    """
    soundfile = _soundfile()
    path = Path(path)
    _check_riff(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate, seconds = int(file.samplerate), file.frames / file.samplerate
            if seconds > longest_s:
                raise InputError(f"{path}: expected at most {longest_s:g} s of sound, got {seconds:.0f} s. Cut it into clips.")
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: expected a wav file, but it cannot be decoded ({error.error_string}) Convert it to PCM wav.") from error
    if len(samples) == 0:
        raise InputError(f"{path}: expected sound, got a wav file without samples. Record it again.")
    return mono(samples, str(path)), rate


def decode_audio(coded: bytes, name: str) -> tuple[Wave, int]:
    """Sound that is held in memory in any format that libsndfile knows, such as Ogg Opus; several channels become their mean.

    Args:
        coded: the bytes of a whole file.
        name: what it is, for the message.
    Returns:
        the samples [N], float32 with full scale at 1, and their rate in Hz.
    Raises:
        ValueError: it cannot be decoded, or holds no sound.
        ImportError: soundfile is missing.
    """
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(io.BytesIO(coded), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{name}: expected coded sound, but it cannot be decoded ({error.error_string}) Copy it again.") from error
    return mono(samples, name), int(rate)


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as missing:
        raise MissingExtraError("Reading sound needs soundfile, which is not installed: pip install dendrix[audio].") from missing
    return soundfile


def mono(samples: NDArray[np.float32], name: str) -> Wave:
    """The mean of the channels of samples [N, channels], checked as by `check_wave`."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused
        return check_wave(samples.mean(axis=1), name)


def check_wave(wave: Wave, name: str = "wave") -> Wave:
    """The wave as it is, if it is [N] with N > 0 and every sample is finite and near full scale; otherwise a ValueError that names it."""
    if wave.ndim != 1 or wave.size == 0:
        raise InputError(f"{name}: expected mono samples [N], got shape {list(wave.shape)}. Mix channels down with wave.mean(axis=1).")
    if not np.isfinite(wave).all():
        first = int(np.flatnonzero(~np.isfinite(wave))[0])
        raise InputError(f"{name}: expected finite samples, got {wave[first]} at sample {first}. Repair or drop the recording.")
    if (loudest := float(np.abs(wave).max())) > _LOUDEST:
        raise InputError(f"{name}: expected samples with full scale at 1, got {loudest:g}. Divide them by their full scale.")
    return wave


def resample(wave: Wave, rate: int, to: int) -> Wave:
    """The wave at another rate (Hz), in soxr's high quality; the very same array where the rates agree.

    Raises:
        ValueError: the rate is not positive, or the wave is too short to have a sample at the other rate.
        ImportError: the rates differ and soxr is missing.
    """
    if rate == to:
        return wave
    if rate <= 0:
        raise InputError(f"rate: expected a positive number of samples per second, got {rate}.")
    other = np.asarray(_soxr(rate, to).resample(wave, rate, to), np.float32)
    if len(other) == 0:
        raise InputError(f"wave: expected enough sound for a sample at {to} Hz, got {len(wave)} samples at {rate} Hz. Record it again.")
    return other


def resample_stream(waves: Iterable[Wave], rate: int, to: int) -> Iterator[Wave]:
    """Pieces of a sound at another rate (Hz); joined they are what `resample` makes of the whole.

    Raises:
        ImportError: the rates differ and soxr is missing.
    """
    if rate == to:
        yield from waves
        return
    stream = _soxr(rate, to).ResampleStream(rate, to, 1, dtype="float32")
    for wave in waves:
        yield stream.resample_chunk(wave)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _soxr(rate: int, to: int) -> Any:
    try:
        import soxr
    except ImportError as missing:
        raise MissingExtraError(
            f"Sound at {rate} Hz must be brought to {to} Hz, which needs soxr: pip install dendrix[audio]."
        ) from missing
    return soxr


def _check_riff(path: Path) -> None:
    """Refuse what libsndfile would read in silence or with a riddle: a file that is no RIFF/WAVE, or ends before its samples do."""
    with path.open("rb") as file:  # a missing file, a folder and a lack of permission each raise their own OSError here
        size = file.seek(0, 2)
        file.seek(0)
        if size == 0:
            raise InputError(f"{path}: expected a wav file, got an empty file. Record or copy it again.")
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64", b"RIFX") or head[8:] != b"WAVE":
            raise InputError(f"{path}: expected a wav file, got one that starts with {head[:4]!r}. Convert it to wav first.")
        order: Literal["big", "little"] = "big" if head[:4] == b"RIFX" else "little"
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], order)
            if chunk[:4] == b"data":
                # A writer to a pipe cannot know the length and leaves all ones.
                if length != 0xFFFFFFFF and file.tell() + length > size:
                    raise InputError(
                        f"{path}: expected {length} bytes of samples, got {size - file.tell()}: it was cut short. Copy it again."
                    )
                return
            file.seek(length + length % 2, 1)
    raise InputError(f"{path}: expected a wav file with samples, but it has no data chunk: it was cut short. Copy it again.")
