"""The directive `command-line`, which shows the help of every command of `dendrix`."""

import contextlib
import io
import os
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from dendrix.cli import main
from dendrix.cli.commands import COMMANDS, GROUPS


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}


def every_command() -> list[list[str]]:
    inner = {name: import_module(f"dendrix.cli.{name}").COMMANDS for name in GROUPS}
    return [[], *([name] for name in COMMANDS), *([group, name] for group, commands in inner.items() for name in commands)]


def shown(words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main([*words, "--help"])
    return out.getvalue().strip()


class CommandLine(SphinxDirective):
    """A section with the help of each command."""

    def run(self) -> list[nodes.Node]:
        os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}
        return [self.section(words) for words in every_command()]

    def section(self, words: list[str]) -> nodes.section:
        title = " ".join(["dendrix", *words])
        section = nodes.section(ids=[nodes.make_id(title)], names=[title])
        section += [nodes.title(text=title), nodes.literal_block(text=shown(words), language="none")]
        return section
