"""`dendrix export` of a language model: in integer arithmetic, as C99, WebAssembly or arrays."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from .output import print_json

_TARGETS = {
    "c": "Next: make -C {} test",
    "wasm": "Next: node {}/selftest.mjs",
    "npz": "The file README.md describes the arrays.",
}
"""Advice after an export, by its target."""
_OPTIONS = ("run", "to", "out", "clips", "root", "max_flash", "max_ram", "json")


def export_text(given: dict[str, Any]) -> None:
    """Export a language model.

    Args:
        given: options of `dendrix export` by name.
    """
    from ..runs.deployment import Budget
    from ..runs.text_deployment import DeployTextRun, export_text_run
    from .export import bytes_of, default_of

    to, out = given["to"], given["out"]
    if to not in _TARGETS:
        reason = " NIR has no nodes for it." if to == "nir" else ""
        raise MisuseError(f"--to: expected {', '.join(_TARGETS)}, onnx for a language model, got {to}.{reason} Choose one of these.")
    for name, value in given.items():
        if name not in _OPTIONS and value != default_of(name):
            raise MisuseError(f"--{name.replace('_', '-')}: expected it only for other networks than language models. Leave it out.")
    budget = Budget(bytes_of(given["max_flash"], "max_flash"), bytes_of(given["max_ram"], "max_ram"))
    ready = export_text_run(DeployTextRun(given["run"], given["clips"], root=given["root"], budget=budget), to, out)
    sizes = {"tables_bytes": ready.deployed.tables_bytes, "memory_bytes": ready.deployed.memory_bytes}
    if given["json"]:
        print_json({"folder": str(out), **asdict(ready.comparison), **sizes})
        return
    found = ready.comparison
    table = Table(show_header=False)
    table.add_row("tables (flash)", f"{sizes['tables_bytes']:,} bytes")
    table.add_row("memory of a text (RAM)", f"{sizes['memory_bytes']:,} bytes, however long")
    table.add_row(f"bits per byte, {found.tokens:,} validation tokens", f"{found.integer_bits_per_byte:.4f}")
    table.add_row("the same in floating point", f"{found.float_bits_per_byte:.4f}, with the rounded weights {found.int8_bits_per_byte:.4f}")
    Console().print(table)
    print(f"Exported to {out}. {_TARGETS[to].format(out)}")
