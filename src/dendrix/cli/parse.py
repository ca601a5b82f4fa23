"""From words to a call: tyro reads the options, and what it cannot read becomes one sentence."""

import contextlib
import functools
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from ..checks import suggestion
from ..errors import MisuseError

T = TypeVar("T")
STYLE = (tyro.conf.FlagCreatePairsOff,)


def choose(commands: Mapping[str, Callable[..., Any]], words: Sequence[str], program: str, description: str) -> Callable[[], Any]:
    """The call that the words ask for, with its arguments read and not yet made.

    Args:
        commands: functions by the name of their command; their annotations and docstrings are their options.
        words: the command line after the name of the program; help if there are none.
        program: its name, for the help.
        description: what the help says first.
    Raises:
        MisuseError: no such command, or options that cannot be read.
        SystemExit: the help was printed.
    """
    if words and not words[0].startswith("-") and words[0] not in commands:
        raise MisuseError(f"expected a command, one of {', '.join(commands)}, got '{words[0]}'.{suggestion(words[0], commands)}")
    calls = {name: _delayed(command) for name, command in commands.items()}
    args = list(words) or ["--help"]
    call: Callable[[], Any] = parsed(
        lambda: tyro.extras.subcommand_cli_from_dict(calls, prog=program, description=description, args=args, config=STYLE)
    )
    return call


def parsed(read: Callable[[], T]) -> T:
    """What `read` returns; the box that tyro draws around an error becomes the message of a MisuseError."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return read()
    except SystemExit as done:
        if not done.code:
            raise
        raise MisuseError(_in_one_sentence(complaint.getvalue())) from done


def _in_one_sentence(box: str) -> str:
    """What a box of tyro says, without its title, its frame and the sections below the first.

    The frame is of box-drawing characters, or of dashes and blanks where the terminal has no others.
    """
    rows = [row.strip(" │") for row in box.splitlines()]
    sections = [" ".join(section.split()) for section in re.split(r"^[╭─-][^a-z]*$", "\n".join(rows[1:]), flags=re.MULTILINE)]
    said, *more = filter(None, sections)
    said = re.sub(r"Error parsing |Unrecognized options: |\(required\)$|__tyro-dummy-inner__[\w.-]*: ", "", said).strip(" .:")
    if "Unrecognized options" in box:
        said = f"expected options that --help lists, got '{said}'"
    near = re.search(r"Perhaps you meant.*?(--[\w.-]+)", " ".join(more))
    advice = re.search(r"dendrix .*--help", " ".join(more))
    hint = f"Did you mean '{near[1]}'?" if near else f"Try: {advice[0] if advice else '--help'}"
    return f"{said}. {hint}"


def _delayed(command: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """A function with the options of `command` that returns the call instead of making it."""

    @functools.wraps(command)
    def bind(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return functools.partial(command, *args, **kwargs)

    return bind
