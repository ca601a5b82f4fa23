"""Parsing of command lines with tyro; a parse error becomes one sentence."""

import contextlib
import functools
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO, TypeVar

import tyro

from ..checks import not_one_of
from ..errors import InputError, InputTypeError, MisuseError

T = TypeVar("T")
STYLE = (tyro.conf.FlagCreatePairsOff,)


def choose(commands: Mapping[str, Callable[..., Any]], words: Sequence[str], program: str, description: str) -> Callable[[], Any]:
    """Return the call of the chosen command, with its arguments parsed.

    Args:
        commands: functions by command name; their annotations and docstrings define the options.
        words: arguments after the name of the program; none prints the help.
        program: name of the program, for the help.
        description: first paragraph of the help.
    Raises:
        MisuseError: the command is unknown, or the options are invalid.
        SystemExit: the help was printed.
    """
    if words and not words[0].startswith("-") and words[0] not in commands:
        raise MisuseError(not_one_of(words[0], commands, "command"))
    calls = {name: _delayed(command) for name, command in commands.items()}
    args = list(words) or ["--help"]
    call: Callable[[], Any] = parsed(
        lambda: tyro.extras.subcommand_cli_from_dict(calls, prog=program, description=description, args=args, config=STYLE)
    )
    return call


def parsed(read: Callable[[], T]) -> T:
    """Return the result of `read`; an error that tyro prints in a box, or a refused value of an option, becomes a MisuseError."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(_OnOff(sys.stdout)):
            return read()
    except (InputError, InputTypeError) as error:
        raise MisuseError(str(error)) from error
    except SystemExit as done:
        if not done.code:
            raise
        raise MisuseError(_in_one_sentence(complaint.getvalue())) from done


class _OnOff(io.TextIOBase):
    """Standard output for a help text, with the default of a flag as on or off."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        # Of the same width, because the help may have a frame.
        return self._stream.write(text.replace("True)", "on)  ").replace("False)", "off)  "))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def flush(self) -> None:
        self._stream.flush()


def _in_one_sentence(box: str) -> str:
    """Return the text of tyro's error box, without its title, its frame and the sections below the first.

    The frame has box-drawing characters, or dashes and blanks if the terminal does not support them.
    """
    rows = [row.strip(" │") for row in box.splitlines()]
    sections = [" ".join(section.split()) for section in re.split(r"^[╭─-][^a-z]*$", "\n".join(rows[1:]), flags=re.MULTILINE)]
    said, *more = filter(None, sections)
    applied = re.search(r"\(applied to (.*?)\)", said)
    said = re.sub(r"Unrecognized or misplaced options: | \(applied to .*?\)| Arguments are applied to .*", "", said)
    said = re.sub(r"Error parsing |Unrecognized options: |\(required\)$|__tyro-dummy-inner__[\w.-]*: ", "", said).strip(" .:")
    said = re.sub(r"no type matching (?:\{None\}\|)?(.*?) could be instantiated from \[(.*?)\].*", r"expected \1, got \2", said)
    if "Unrecognized options" in box:
        said = f"expected an option of --help, got '{said}'"
    rest = " ".join(more)
    if applied and f"in {applied[1]} --help" not in rest:  # what it suggests is an option of another command
        return f"{said}. Try: {applied[1]} --help"
    near = re.search(r"Perhaps you meant.*?(--[\w.-]+)", rest)
    advice = re.search(r"dendrix .*--help", rest)
    hint = f"Did you mean '{near[1]}'?" if near else f"Try: {advice[0] if advice else '--help'}"
    return f"{said}. {hint}"


def _delayed(command: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """Return a function with the options of `command` that returns the call instead of making it."""

    @functools.wraps(command)
    def bind(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return functools.partial(command, *args, **kwargs)

    return bind
