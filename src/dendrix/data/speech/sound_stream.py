"""Sound from a pipe, in pieces, while it comes: a wav stream of any rate, or bare samples."""

import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from .audio import Wave, mono, resample_stream

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ENDLESS = (0, 0xFFFFFFFF)
"""The lengths that a wav writer puts down when it cannot know."""
_LONGEST_MS = 250
"""So much sound is handed on at once where it comes faster than it is heard."""
_LONGEST_CHUNK = 1 << 24
"""A wav stream may say other things before its samples, but not at more length than this, in bytes."""
_NOT_BARE = (b"RIFF", b"RIFX", b"RF64", b"OggS", b"fLaC", b"ID3\x03", b"ID3\x04", b"FORM", b"caff", b".snd")
"""How other files of sound begin: to take their bytes for samples would be to answer noise."""
_NAMED = {(_PCM, 8): "|u1", (_PCM, 16): "<i2", (_PCM, 24): "|u1", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}


class _Format(NamedTuple):
    """How the bytes of a stream are samples."""

    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one moment, all channels."""
        return self.channels * self.bits // 8

    def decode(self, block: bytes) -> Wave:
        """Whole frames as mono samples [N], full scale at 1, all finite."""
        numbers = np.frombuffer(block, _NAMED[self.code, self.bits])
        if self.bits == 24:
            wide = np.zeros((len(numbers) // 3, 4), np.uint8)
            wide[:, 1:] = numbers.reshape(-1, 3)
            numbers = wide.view("<i4")[:, 0]
        if self.bits == 8:
            samples = (numbers.astype(np.float32) - np.float32(128)) / np.float32(128)
        else:
            full = 1.0 if self.code == _FLOAT else 2.0 ** (8 * numbers.itemsize - 1)
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
                samples = numbers.astype(np.float32) / np.float32(full)
        return mono(samples.reshape(-1, self.channels), "stdin")


def stream_sound(pipe: io.BufferedIOBase, rate: int) -> Iterator[Wave]:
    """A sound in pieces [N_i], each as soon as bytes of it are there; what has piled up comes in one piece.

    Args:
        pipe: a wav stream, or bare samples: 16 bits, little-endian, mono, at `rate`. It may end anywhere, also within a sample, which then
            does not count.
        rate: of the pieces, in Hz; a wav stream at another rate is resampled.
    Raises:
        ValueError: the header of the wav stream is cut short or endless, its format is none that this reads, or a sample is no finite one
            near full scale.
        ImportError: the rates differ and soxr is missing.
    """
    head = pipe.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        if head[:4] in _NOT_BARE:
            raise InputError(f"stdin: expected a wav stream or bare samples, got a file that starts with {head[:4]!r}. Convert it to wav.")
        yield from _pieces(pipe, _Format(_PCM, 1, rate, 16), head)
        return
    found, length = _header(pipe)
    yield from resample_stream(_pieces(pipe, found, b"", length), found.rate, rate)


def _pieces(pipe: io.BufferedIOBase, found: _Format, head: bytes, left: int = sys.maxsize) -> Iterator[Wave]:
    """What comes, decoded: the head, which has come already, and then up to `left` bytes."""
    size = found.frame * max(found.rate * _LONGEST_MS // 1000, 1)
    block = head
    while more := pipe.read1(min(size, left)):
        left -= len(more)
        block += more
        if whole := len(block) // found.frame * found.frame:
            yield found.decode(block[:whole])
            block = block[whole:]
    if whole := len(block) // found.frame * found.frame:  # of a head alone
        yield found.decode(block[:whole])


def _header(pipe: io.BufferedIOBase) -> tuple[_Format, int]:
    """Read up to the first sample: the format, and how many bytes of samples there are at most."""
    found = None
    while len(chunk := pipe.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data" and found is not None:
            return found, sys.maxsize if length in _ENDLESS else length
        if length > _LONGEST_CHUNK:
            raise InputError(
                f"stdin: expected a wav stream with its samples soon, got {length} bytes of {chunk[:4]!r} before them. Convert it again."
            )
        content = pipe.read(length + length % 2)
        if chunk[:4] == b"fmt " and len(content) >= 16:
            found = _format(content)
    raise InputError("stdin: expected a wav stream with a format and samples, but it ends before them. Check where it comes from.")


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
