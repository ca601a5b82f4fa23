"""Audio files: reading, checking and resampling. The only module that imports soundfile and soxr."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_bytes, seekable
from ...core.limits import expect_within
from ...errors import InputError, MissingExtraError

Wave = NDArray[np.float32]
"""Mono samples, [N], full scale at 1."""
_LOUDEST = 100.0
"""Largest accepted amplitude, 40 dB beyond full scale: larger samples are integers that were not divided by their full scale."""
CODED = (".flac", ".ogg", ".opus")
"""Endings of files that `read_sound` decodes with libsndfile."""
UNKNOWN = 0x7F000000
"""Smallest length that stands for an unknown one: programs write 0x7ffff000, 0x80000000, 0xffffffff and others near these."""
_BLOCK = 1 << 22
"""Samples of all channels that are read at a time."""


def read_wav(path: str | Path, longest_s: float | None = None) -> tuple[Wave, int]:
    """Read a wav file of any sample format and sampling rate; several channels are averaged.

    Args:
        path: file to read; a pipe will do. Where its writer did not know the length, the samples end with the file.
        longest_s: longest accepted duration, in s; a longer file is refused before its samples are read. None takes the limit of `audio_s`
            (see `core.limits`).
    Returns:
        the samples [N], float32 with full scale at 1, and the sampling rate, in Hz.
    Raises:
        OSError: the file does not exist, is a folder or cannot be opened.
        InputError: the file is empty, truncated, too long or not a wav file, its sampling rate is beyond the limit, or it contains NaN,
            infinity or samples far beyond full scale.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = _soundfile()
    path = Path(path)
    with seekable(path) as content:
        whole = whole_wav(content, path)
        try:
            # libsndfile reads a file by its name faster than through Python.
            with soundfile.SoundFile(path if whole is content and path.is_file() else whole) as file:
                samples, rate = _samples(file, str(path), longest_s)
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"{path}: expected a wav file, but it cannot be decoded ({error.error_string}) Convert it to PCM wav."
            ) from error
    if len(samples) == 0:
        raise InputError(f"{path}: expected audio, got a wav file without samples. Record it again.")
    return mono(samples, str(path)), rate


def read_sound(path: str | Path, longest_s: float | None = None) -> tuple[Wave, int]:
    """Read a wav file as `read_wav` does, or a file in FLAC or Ogg, told by its ending: .flac, .ogg or .opus.

    Args:
        path: file to read.
        longest_s: longest accepted duration, in s, as in `read_wav`.
    Returns:
        the samples [N], float32 with full scale at 1, and the sampling rate, in Hz.
    Raises:
        OSError, InputError, MissingExtraError: as in `read_wav` and `decode_audio`.
    """
    path = Path(path)
    return decode_audio(read_bytes(path), str(path), longest_s) if path.suffix.lower() in CODED else read_wav(path, longest_s)


def decode_audio(coded: bytes, name: str, longest_s: float | None = None) -> tuple[Wave, int]:
    """Decode audio from memory in any format of libsndfile, such as Ogg Opus or FLAC; several channels are averaged.

    Args:
        coded: content of a file.
        name: name of the audio, for the error message.
        longest_s: longest accepted duration, in s; None takes the limit of `audio_s`.
    Returns:
        the samples [N], float32 with full scale at 1, and the sampling rate, in Hz.
    Raises:
        InputError: the audio cannot be decoded, is longer than the limit, has no samples, or contains NaN, infinity or samples far beyond
            full scale.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(io.BytesIO(coded)) as file:
            file.seek(0)  # libsndfile leaves out the samples before the beginning of an Opus stream only after a seek
            samples, rate = _samples(file, name, longest_s)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{name}: expected compressed audio, but it cannot be decoded ({error.error_string}) Copy it again.") from error
    return mono(samples, name), rate


def _samples(file: Any, name: str, longest_s: float | None) -> tuple[NDArray[np.float32], int]:
    """Read the samples [N, channels] of an open file in blocks, whatever number of them it claims; returns them and the sampling rate."""
    rate = int(file.samplerate)
    check_rate(rate, name)
    seconds = file.frames / rate
    if longest_s is None:
        expect_within(seconds, "audio_s", name)
    elif seconds > longest_s:
        raise InputError(f"{name}: expected at most {longest_s:g} s of audio, got {seconds:.0f} s. Cut it into clips.")
    if file.frames * file.channels <= _BLOCK:
        return file.read(dtype="float32", always_2d=True), rate
    blocks = [np.zeros((0, file.channels), np.float32)]
    while len(block := file.read(max(_BLOCK // file.channels, 1), dtype="float32", always_2d=True)):
        blocks.append(block)
    return np.concatenate(blocks), rate


def check_rate(rate: int, name: str) -> None:
    """Raise InputError unless a sampling rate, in Hz, is positive and within the limit of `audio_hz`."""
    if rate < 1:
        raise InputError(f"{name}: expected a positive sampling rate in Hz, got {rate}. Pass that of the waveform.")
    expect_within(rate, "audio_hz", name)


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


def as_wave(samples: Any, name: str = "wave") -> Wave:
    """Convert samples to float32 with full scale at 1: integers, as files hold them, are divided by their full scale.

    Args:
        samples: array, tensor or sequence of float samples, with full scale at 1, or of int8, int16, int32 or uint8 (centred at 128).
        name: name of the audio, for the error message.
    Raises:
        InputError: the samples have another type, so that their full scale is unknown.
    """
    found = np.asarray(samples)
    if found.dtype.kind == "f" or found.size == 0:
        with np.errstate(over="ignore"):  # values beyond the range of float32 become infinite, which check_wave refuses
            return found.astype(np.float32, copy=False)
    if found.dtype == np.uint8:
        return (found.astype(np.float32) - np.float32(128)) / np.float32(128)
    if found.dtype in (np.int8, np.int16, np.int32):
        return found.astype(np.float32) / np.float32(2.0 ** (8 * found.dtype.itemsize - 1))
    raise InputError(
        f"{name}: expected samples as floats with full scale at 1, or as int8, int16, int32 or uint8, got {found.dtype}. "
        "Divide them by their full scale."
    )


def resample(wave: Wave, rate: int, to: int) -> Wave:
    """Resample a waveform with soxr's high quality setting.

    Args:
        wave: samples [N], as in `as_wave`.
        rate: sampling rate of the samples, in Hz.
        to: new sampling rate, in Hz.
    Returns:
        the samples at the new rate; the same array if it is float32 and the rates are equal.
    Raises:
        InputError: a rate is not positive or beyond the limit of `audio_hz`, or the waveform is too short for one sample at the new rate.
        MissingExtraError: the rates differ and soxr is not installed.
    """
    for given, name in ((rate, "rate"), (to, "to")):
        check_rate(given, name)
    wave = as_wave(wave)
    if rate == to:
        return wave
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


def whole_wav(file: IO[bytes], path: Path) -> IO[bytes]:
    """Check the chunks of a wav file, and complete lengths that its writer did not know, as one that writes to a pipe.

    Args:
        file: content of the file.
        path: its name, for the error message.
    Returns:
        the same file, or its completed content.
    Raises:
        InputError: the file is not RIFF/WAVE or is truncated; libsndfile reads some of these and reports others unclearly.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size == 0:
        raise InputError(f"{path}: expected a wav file, got an empty file. Record or copy it again.")
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"RIFX") or head[8:] != b"WAVE":
        raise InputError(f"{path}: expected a wav file, got one that starts with {head[:4]!r}. Convert it to wav first.")
    order: Literal["big", "little"] = "big" if head[:4] == b"RIFX" else "little"
    while len(chunk := file.read(8)) == 8:
        length, start = int.from_bytes(chunk[4:], order), file.tell()
        if chunk[:4] != b"data":
            file.seek(length + length % 2, io.SEEK_CUR)
            continue
        left = size - start
        closed = int.from_bytes(head[4:8], order) == size - 8  # then a length of 0 is true, and what follows are other chunks
        if head[:4] != b"RF64" and ((length >= UNKNOWN and length > left) or (length == 0 < left and not closed)):
            return _completed(file, start, left, order)
        if length > left and not (head[:4] == b"RF64" and length == 0xFFFFFFFF):
            raise InputError(f"{path}: expected {length} bytes of samples, got {left}: the file is truncated. Copy it again.")
        file.seek(0)
        return file
    raise InputError(f"{path}: expected a wav file with samples, but it has no data chunk: the file is truncated. Copy it again.")


def _completed(file: IO[bytes], start: int, left: int, order: Literal["big", "little"]) -> IO[bytes]:
    """The content of a wav file whose samples last to its end, from `start` on, with these lengths."""
    file.seek(0)
    content = bytearray(file.read())
    content[4:8] = (len(content) - 8).to_bytes(4, order)
    content[start - 4 : start] = left.to_bytes(4, order)
    return io.BytesIO(content)
