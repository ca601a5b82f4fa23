"""Audio files: reading, checking and resampling. The only module that imports soundfile and soxr."""

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
"""Largest accepted amplitude: larger samples are not audio, and their energy may overflow float32."""


def read_wav(path: str | Path, longest_s: float = math.inf) -> tuple[Wave, int]:
    """Read a wav file of any sample format and sampling rate; several channels are averaged.

    Args:
        path: file to read.
        longest_s: longest accepted duration, in s; a longer file is refused before its samples are read.
    Returns:
        the samples [N], float32 with full scale at 1, and the sampling rate, in Hz.
    Raises:
        OSError: the file does not exist, is a folder or cannot be opened.
        InputError: the file is empty, truncated, too long or not a wav file, or contains NaN, infinity or samples far beyond full scale.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = _soundfile()
    path = Path(path)
    _check_riff(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate, seconds = int(file.samplerate), file.frames / file.samplerate
            if seconds > longest_s:
                raise InputError(f"{path}: expected at most {longest_s:g} s of audio, got {seconds:.0f} s. Cut it into clips.")
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: expected a wav file, but it cannot be decoded ({error.error_string}) Convert it to PCM wav.") from error
    if len(samples) == 0:
        raise InputError(f"{path}: expected audio, got a wav file without samples. Record it again.")
    return mono(samples, str(path)), rate


def decode_audio(coded: bytes, name: str) -> tuple[Wave, int]:
    """Decode audio from memory in any format of libsndfile, such as Ogg Opus; several channels are averaged.

    Args:
        coded: content of a file.
        name: name of the audio, for the error message.
    Returns:
        the samples [N], float32 with full scale at 1, and the sampling rate, in Hz.
    Raises:
        InputError: the audio cannot be decoded, has no samples, or contains NaN, infinity or samples far beyond full scale.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(io.BytesIO(coded), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{name}: expected compressed audio, but it cannot be decoded ({error.error_string}) Copy it again.") from error
    return mono(samples, name), int(rate)


def _soundfile() -> Any:
    try:
        import soundfile
    except Exception as missing:
        raise MissingExtraError.of("Reading audio needs", "soundfile", "audio", missing) from missing
    return soundfile


def mono(samples: NDArray[np.float32], name: str) -> Wave:
    """Average the channels of samples [N, channels] to mono [N] and check the result with `check_wave`."""
    with np.errstate(over="ignore", invalid="ignore"):  # check_wave refuses samples that are not finite
        return check_wave(samples.mean(axis=1), name)


def check_wave(wave: Wave, name: str = "wave") -> Wave:
    """Return the waveform unchanged if it is valid.

    Args:
        wave: samples [N], full scale at 1.
        name: name of the audio, for the error message.
    Raises:
        InputError: the waveform is empty or not mono, or contains NaN, infinity or samples far beyond full scale.
    """
    if wave.ndim != 1 or wave.size == 0:
        raise InputError(f"{name}: expected mono samples [N], got shape {list(wave.shape)}. Mix channels down with wave.mean(axis=1).")
    if not np.isfinite(wave).all():
        first = int(np.flatnonzero(~np.isfinite(wave))[0])
        raise InputError(f"{name}: expected finite samples, got {wave[first]} at sample {first}. Repair or drop the recording.")
    if (loudest := float(np.abs(wave).max())) > _LOUDEST:
        raise InputError(f"{name}: expected samples with full scale at 1, got {loudest:g}. Divide the samples by their full scale.")
    return wave


def resample(wave: Wave, rate: int, to: int) -> Wave:
    """Resample a waveform with soxr's high quality setting.

    Args:
        wave: samples [N].
        rate: sampling rate of the samples, in Hz.
        to: new sampling rate, in Hz.
    Returns:
        the samples at the new rate; the same array if the rates are equal.
    Raises:
        InputError: `rate` is not positive, or the waveform is too short for one sample at the new rate.
        MissingExtraError: the rates differ and soxr is not installed.
    """
    if rate == to:
        return wave
    if rate <= 0:
        raise InputError(f"rate: expected a positive sampling rate in Hz, got {rate}. Pass that of the waveform.")
    other = np.asarray(_soxr(rate, to).resample(wave, rate, to), np.float32)
    if len(other) == 0:
        raise InputError(f"wave: expected enough audio for one sample at {to} Hz, got {len(wave)} samples at {rate} Hz. Use a longer clip.")
    return other


def resample_stream(waves: Iterable[Wave], rate: int, to: int) -> Iterator[Wave]:
    """Resample a stream chunk by chunk; the concatenated result equals `resample` of the whole.

    Args:
        waves: chunks [N_i].
        rate: sampling rate of the chunks, in Hz.
        to: new sampling rate, in Hz.
    Raises:
        MissingExtraError: the rates differ and soxr is not installed.
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
    except Exception as missing:
        raise MissingExtraError.of(f"Resampling from {rate} Hz to {to} Hz needs", "soxr", "audio", missing) from missing
    return soxr


def _check_riff(path: Path) -> None:
    """Raise InputError for a file that is not RIFF/WAVE or is truncated; libsndfile reads some of these and reports others unclearly."""
    with path.open("rb") as file:  # a missing file, a folder or missing permission raises the specific OSError
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
                # A program that writes to a pipe cannot know the length and sets all bits.
                if length != 0xFFFFFFFF and file.tell() + length > size:
                    raise InputError(
                        f"{path}: expected {length} bytes of samples, got {size - file.tell()}: the file is truncated. Copy it again."
                    )
                return
            file.seek(length + length % 2, 1)
    raise InputError(f"{path}: expected a wav file with samples, but it has no data chunk: the file is truncated. Copy it again.")
