"""Limits on what is read from files: what a file claims beyond them is refused before memory is taken for it.

The command line raises a limit with `--allow events=1e9`, a program with `allow(events=1e9)`, and any process with the environment variable
`DENDRIX_ALLOW=events=1e9`; several are separated by commas.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache

from ..checks import expect_in, expect_one_of
from ..errors import InputError

VARIABLE = "DENDRIX_ALLOW"


@dataclass(frozen=True)
class FileLimits:
    """Largest sizes that are read without being asked."""

    audio_s: float = 3600
    """Longest recording, in s."""
    audio_hz: float = 1_000_000
    """Highest sampling rate, in Hz."""
    image_pixels: float = 1 << 26
    """Largest image, in pixels."""
    frame_values: float = 1 << 27
    """Largest result of binning one recording: time steps times channels."""
    events: float = 1 << 28
    """Events of one recording."""
    labels: float = 10_000_000
    """Labels, or names of classes, of one file."""
    classes: float = 100_000
    """Classes that are numbered and not named; higher numbers are usually identifiers of something else."""
    text_bytes: float = 1 << 32
    """Text of one corpus after decompression, in bytes."""
    array_bytes: float = 1 << 34
    """One array after decompression, in bytes."""
    pipe_bytes: float = 1 << 31
    """What is read from a pipe or a device that stands for a file, in bytes."""
    tokens: float = 1 << 32
    """Tokens of one corpus."""


def limit(name: str) -> float:
    """The limit of this name, as the environment variable raises it.

    Raises:
        InputError: the environment variable cannot be understood.
    """
    usual: float = getattr(FileLimits, name)
    return _allowed(os.environ.get(VARIABLE, "")).get(name, usual)


def expect_within(count: float, name: str, what: str) -> None:
    """Refuse what exceeds a limit.

    Args:
        count: what a file claims.
        name: a field of `FileLimits`.
        what: name of the file or of its part, for the error message.
    Raises:
        InputError: it is more than the limit; the message tells how to raise it.
    """
    if not count <= (most := limit(name)):
        raise InputError(
            f"{what}: expected at most {most:,.0f} {name.replace('_', ' ')}, got {count:,.0f}. If that is right, allow it: "
            f"--allow {name}={count:.0f} or {VARIABLE}={name}={count:.0f}."
        )


@contextlib.contextmanager
def allow(**raised: float) -> Iterator[None]:
    """Raise limits for the whole process while a block runs.

    Args:
        **raised: fields of `FileLimits` with their new values.
    Raises:
        InputError: there is no limit of that name, or the value is not positive.
    """
    with allowing(",".join(f"{name}={value}" for name, value in raised.items())):
        yield


@contextlib.contextmanager
def allowing(text: str) -> Iterator[None]:
    """Raise limits while a block runs, also for the processes that it starts: `"events=1e9,audio_s=7200"`.

    Raises:
        InputError: as in `allow`.
    """
    before = os.environ.get(VARIABLE)
    raised = ",".join(filter(None, (before, text)))
    _allowed(raised)
    os.environ[VARIABLE] = raised
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


@cache
def _allowed(text: str) -> dict[str, float]:
    known = [field.name for field in fields(FileLimits)]
    found: dict[str, float] = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, value = part.partition("=")
        expect_one_of(name, known, VARIABLE)
        try:
            number = float(value)
        except ValueError as error:
            raise InputError(f"{VARIABLE}: expected NAME=NUMBER, such as events=1e9, got '{part}'. Correct it.") from error
        found[name] = expect_in(number, "(0, inf)", f"{VARIABLE}: {name}")
    return found
