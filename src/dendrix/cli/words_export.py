"""`dendrix export` of a vocabulary of taught words: as C99 or WebAssembly."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from .output import print_json

_TARGETS = {"c": "Next: make -C {} test", "wasm": "Next: node {}/selftest.mjs"}
"""Advice after an export, by its target."""
_OPTIONS = ("run", "to", "out", "weights", "clips", "root", "trust", "json")
_CLIPS = 5
"""Number of test vectors unless another one is given: each has every spike."""


def export_taught(given: dict[str, Any]) -> None:
    """Export a vocabulary.

    Args:
        given: options of `dendrix export` by name.
    """
    from ..runs.words_deployment import DeployWords, export_words
    from .export import default_of

    to, out = given["to"], given["out"]
    if to not in _TARGETS:
        raise MisuseError(f"--to: expected {' or '.join(_TARGETS)} for a vocabulary, got {to}. Choose one of these.")
    for name, value in given.items():
        if name not in _OPTIONS and value != default_of(name):
            raise MisuseError(f"--{name.replace('_', '-')}: expected it only for networks, got a vocabulary. Leave it out.")
    clips = _CLIPS if given["clips"] == default_of("clips") else given["clips"]
    ready = export_words(DeployWords(given["run"], given["weights"], clips, given["root"], given["trust"]), to, out)
    if given["json"]:
        print_json({"folder": str(out), "words": list(ready.deployed.words), "bytes": asdict(ready.sizes)})
        return
    table, size = Table(show_header=False), ready.sizes
    table.add_row("words", ", ".join(ready.deployed.words))
    table.add_row("network (flash)", f"{size.network:,} bytes of tables")
    table.add_row("whitening (flash)", f"{size.whitening:,} bytes")
    table.add_row("words (flash)", f"{size.words:,} bytes")
    table.add_row("background (flash), only to teach", f"{size.background:,} bytes")
    table.add_row("RAM", f"{size.memory:,} bytes a stream")
    Console().print(table)
    print(f"Exported to {out}. {_TARGETS[to].format(out)}")
