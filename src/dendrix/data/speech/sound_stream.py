"""Reader of audio streams from a pipe: wav streams of any sampling rate, or raw samples."""

import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from .audio import Wave, mono, resample_stream

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ENDLESS = (0, 0xFFFFFFFF)
"""Data lengths that a program writes if it cannot know the length of its wav stream."""
_LONGEST_MS = 250
"""Longest chunk, in ms, if the stream is faster than real time."""
_LONGEST_CHUNK = 1 << 24
"""Longest chunk before the samples of a wav stream, in bytes."""
_NOT_BARE = (b"RIFF", b"RIFX", b"RF64", b"OggS", b"fLaC", b"ID3\x03", b"ID3\x04", b"FORM", b"caff", b".snd")
"""First bytes of other audio formats, which must not be read as raw samples."""
_NAMED = {(_PCM, 8): "|u1", (_PCM, 16): "<i2", (_PCM, 24): "|u1", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}


class _Format(NamedTuple):
    """Sample format of a stream."""

    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes per sample of all channels."""
        return self.channels * self.bits // 8

    def decode(self, block: bytes) -> Wave:
        """Decode whole frames to finite mono samples [N] with full scale at 1."""
        numbers = np.frombuffer(block, _NAMED[self.code, self.bits])
        if self.bits == 24:
            wide = np.zeros((len(numbers) // 3, 4), np.uint8)
            wide[:, 1:] = numbers.reshape(-1, 3)
            numbers = wide.view("<i4")[:, 0]
        if self.bits == 8:
            samples = (numbers.astype(np.float32) - np.float32(128)) / np.float32(128)
        else:
            full = 1.0 if self.code == _FLOAT else 2.0 ** (8 * numbers.itemsize - 1)
            with np.errstate(over="ignore"):  # values beyond the range of float32 become infinite, which `mono` refuses
                samples = numbers.astype(np.float32) / np.float32(full)
        return mono(samples.reshape(-1, self.channels), "stdin")


def stream_sound(pipe: io.BufferedIOBase, rate: int) -> Iterator[Wave]:
    """Yield the audio of a stream in chunks [N_i], as soon as bytes are available; buffered bytes form one chunk.

    Args:
        pipe: wav stream, or raw samples: 16-bit, little-endian, mono, at `rate`. The stream may end anywhere; an incomplete last sample is
            dropped.
        rate: sampling rate of the chunks, in Hz; a wav stream at another rate is resampled.
    Raises:
        InputError: the header of the wav stream is truncated or too long, the sample format is not supported, or a sample is not finite or
            far beyond full scale.
        MissingExtraError: the rates differ and soxr is not installed.
    """
    head = pipe.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        if head[:4] in _NOT_BARE:
            raise InputError(f"stdin: expected a wav stream or raw samples, got a file that starts with {head[:4]!r}. Convert it to wav.")
        yield from _pieces(pipe, _Format(_PCM, 1, rate, 16), head)
        return
    found, length = _header(pipe)
    yield from resample_stream(_pieces(pipe, found, b"", length), found.rate, rate)


def _pieces(pipe: io.BufferedIOBase, found: _Format, head: bytes, left: int = sys.maxsize) -> Iterator[Wave]:
    """Decode the bytes `head`, which were already read, and then up to `left` bytes of the pipe."""
    size = found.frame * max(found.rate * _LONGEST_MS // 1000, 1)
    block = head
    while more := pipe.read1(min(size, left)):
        left -= len(more)
        block += more
        if whole := len(block) // found.frame * found.frame:
            yield found.decode(block[:whole])
            block = block[whole:]
    if whole := len(block) // found.frame * found.frame:  # the stream ended within `head`
        yield found.decode(block[:whole])


def _header(pipe: io.BufferedIOBase) -> tuple[_Format, int]:
    """Read up to the first sample; returns the format and the maximal number of bytes of samples."""
    found = None
    while len(chunk := pipe.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data" and found is not None:
            return found, sys.maxsize if length in _ENDLESS else length
        if length > _LONGEST_CHUNK:
            raise InputError(
                f"stdin: expected a short header before the samples of a wav stream, got {length} bytes of {chunk[:4]!r}. Convert it again."
            )
        content = pipe.read(length + length % 2)
        if chunk[:4] == b"fmt " and len(content) >= 16:
            found = _format(content)
    raise InputError("stdin: expected a wav stream with a format and samples, but it ends before them. Check its source.")


def _format(content: bytes) -> _Format:
    numbers = np.frombuffer(content[:16], "<u2")
    code = int(np.frombuffer(content[24:26], "<u2")[0]) if numbers[0] == _EXTENSIBLE and len(content) >= 26 else int(numbers[0])
    found = _Format(code, int(numbers[1]), int.from_bytes(content[4:8], "little"), int(numbers[7]))
    if (found.code, found.bits) not in _NAMED or found.channels < 1 or found.rate < 1:
        raise InputError(
            f"stdin: expected a wav stream of PCM or float samples, got format {found.code} with {found.bits} bits, {found.channels} "
            f"channels and {found.rate} Hz. Convert it to 16-bit PCM."
        )
    return found
