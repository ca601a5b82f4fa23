"""Docstrings of dendrix as reStructuredText. They are plain text: equations, tables and examples keep their lines."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

SECTION = re.compile(r"(Args|Returns|Yields|Raises|Attributes):$")
SOURCE = re.compile(r"Source: ")
EQUATION = re.compile(r".*\s(=|<-|->|:=)\s.*[^.]$")
CODE = re.compile(r"(``.+?``|`[^`]+`)")
ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[[^\[\]]*\], ~?numpy\.dtype\[[^\[\]]*\]\]")
NAME = re.compile(r"[A-Za-z_][\w.]*")


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon, which turns sections into fields
    app.connect("autodoc-process-signature", shortened)
    return {"parallel_read_safe": True}


def shortened(_app: Any, _what: str, _name: str, _object: Any, _options: Any, signature: str | None, returned: str | None) -> Any:
    """Leave out the parameters of array types, which `NDArray[Any]` expands to."""
    return tuple(text and ARRAY.sub("~numpy.ndarray", text) for text in (signature, returned))


def process(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    inherited = bool(lines) and lines[0].startswith("Define the computation performed at every call")  # of torch, with no information
    lines[:] = [] if inherited else restructured(lines)


def restructured(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText with Google sections."""
    return [line for block in blocks(lines) for line in (*converted(block), "")]


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """Split at blank lines, between text and indented lines, and before a section. A section keeps its indented lines."""
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        block: list[str] = []
        for line in () if blank else group:
            indented = line.startswith(" ")
            starts = SECTION.match(line) or SOURCE.match(line)
            leaves = block and not indented and (SECTION.match(block[0]) or block[0].startswith(" "))
            enters = block and indented and not (SECTION.match(block[0]) or SOURCE.match(block[0]) or is_list(block))
            if block and (starts or leaves or (enters and not block[-1].startswith(" "))):
                yield block
                block = []
            block.append(line)
        if block:
            yield block


def is_list(block: list[str]) -> bool:
    return block[0].lstrip().startswith(("- ", "* "))


def converted(block: list[str]) -> list[str]:
    if SECTION.match(block[0]):
        return [block[0], *escaped(block[1:])]
    if SOURCE.match(block[0]):
        return escaped([":Source: " + block[0].removeprefix("Source: "), *block[1:]])
    if block[0].startswith(" ") and not is_list(block):
        return ["::", "", *block]
    if all(map(EQUATION.match, block)):
        return ["::", "", *("    " + line for line in block)]
    return escaped(block)


def escaped(block: list[str]) -> list[str]:
    """Escape what is markup outside of code; code that is not one name becomes a literal."""
    parts = CODE.split("\n".join(block))
    return "".join(literal(part) if part.startswith("`") else plain(part) for part in parts).split("\n")


def literal(code: str) -> str:
    return code if code.startswith("``") or NAME.fullmatch(code.strip("`")) else f"`{code}`"


def plain(text: str) -> str:
    return re.sub(r"(?<=\w)_(?!\w)|[\\*|`]", r"\\\g<0>", text)
