"""Reading of hardware models."""

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from ...checks import not_one_of, suggestion
from ...errors import InputError
from .model import WORD_BYTES, ZERO, Hardware, Memory, OperationCosts, Placement, Range, Reuse

_FOLDER = Path(__file__).parent
_KEYS = {"title", "source", "note", "left_out", "reuse", "placement", "interpolate", "memory_included", "operations", "memory", "static_mw"}
_COSTS = {"mac_pj", "ac_pj", "neuron_pj", "spike_pj", "step_pj"}
_LEVEL = {"name", "bytes", "access_bytes", "access_pj"}
_MOST_BYTES = 1_000_000
_LARGEST = 1e18
"""Largest number of a file, so that no sum of energies overflows."""


def hardware_names() -> tuple[str, ...]:
    """Return the names of the hardware models that come with dendrix."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


def load_hardware(named: str | Path) -> Hardware:
    """Read a hardware model.

    Args:
        named: name of a model that comes with dendrix, or a TOML file of the same form.
    Raises:
        OSError: the file does not exist or cannot be read.
        InputError: an unknown name, or a file with a missing, unknown or invalid entry.
    """
    path = Path(named)
    if str(named) in hardware_names():
        path = _FOLDER / f"{named}.toml"
    elif path.suffix != ".toml":
        raise InputError(f"{not_one_of(str(named), hardware_names(), 'hardware')} Or give a file that ends in .toml.")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path}: expected a hardware model of at most {_MOST_BYTES:,} bytes, got {path.stat().st_size:,}.")
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:  # of the encoding as well, and of deep nesting
        raise InputError(f"{path}: expected a hardware model in TOML, got an invalid file ({error}). Correct it.") from error
    return _Reader(path).hardware(content)


class _Reader:
    """Checks of one file; every error names it."""

    def __init__(self, path: Path):
        self.path = path

    def hardware(self, content: dict[str, Any]) -> Hardware:
        self.known(content, _KEYS, "")
        for name in ("title", "source"):
            if not isinstance(content.get(name), str) or not content[name].strip():
                raise self.error(f"expected the text '{name}', got {content.get(name)!r}. Say what it is and where the figures come from.")
        included = self.flag(content, "memory_included")
        operations = self.table(content.get("operations"), "operations")
        if not operations:
            raise self.error("expected a table such as [operations.int8], got none. Add one with ac_pj.")
        self.known(operations, set(WORD_BYTES), "operations.")
        levels = content.get("memory", [])
        if not isinstance(levels, list) or (not levels and not included):
            raise self.error("expected at least one [[memory]], got none. Add one, or memory_included = true if operations contain it.")
        return Hardware(
            self.path.stem,
            content["title"],
            content["source"],
            {name: self.costs(self.table(part, f"operations.{name}"), f"operations.{name}.") for name, part in operations.items()},
            tuple(sorted((self.level(self.table(part, "memory")) for part in levels), key=lambda level: level.n_bytes)),
            self.word(content, "reuse", "full", get_args(Reuse)),
            self.word(content, "placement", "network", get_args(Placement)),
            self.flag(content, "interpolate"),
            included,
            self.range(content["static_mw"], "static_mw") if "static_mw" in content else None,
            tuple(str(one) for one in self.list(content.get("left_out", []), "left_out")),
            str(content.get("note", "")),
        )

    def costs(self, part: dict[str, Any], where: str) -> OperationCosts:
        self.known(part, _COSTS, where)
        found = {name: self.range(value, where + name) for name, value in part.items()}
        if "ac_pj" not in found:
            raise self.error(f"expected {where}ac_pj, the energy of an addition, which is missing. Add it.")
        if "mac_pj" not in found and "neuron_pj" not in found:
            raise self.error(f"expected {where}mac_pj or {where}neuron_pj, got neither. Add one, as neurons cost energy.")
        return OperationCosts(**{"spike_pj": ZERO, "step_pj": ZERO, **found})

    def level(self, part: dict[str, Any]) -> Memory:
        self.known(part, _LEVEL, "memory.")
        for name in ("name", "access_bytes", "access_pj"):
            if name not in part:
                raise self.error(f"expected memory.{name}, which is missing. Add it to every [[memory]].")
        wide = self.number(part["access_bytes"], "memory.access_bytes")
        if wide < 1 / 8:
            raise self.error(f"expected memory.access_bytes of at least 0.125, one bit, got {wide}. Give the width of an access.")
        energy = self.range(part["access_pj"], "memory.access_pj")
        size = self.number(part["bytes"], "memory.bytes") if "bytes" in part else math.inf
        return Memory(str(part["name"]), Range(energy.low / wide, energy.high / wide), size)

    def range(self, value: Any, name: str) -> Range:
        """One number, or a list of the least and the greatest."""
        low, high = value if isinstance(value, list) and len(value) == 2 else (value, value)
        found = Range(self.number(low, name), self.number(high, name))
        if found.low > found.high:
            raise self.error(f"expected {name} = [least, greatest], got {value}. Exchange them.")
        return found

    def number(self, value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
            raise self.error(f"expected {name} to be a number from 0 to 1e18, or two of them, got {value}. Correct it.")
        return float(value)

    def known(self, part: dict[str, Any], names: set[str], where: str) -> None:
        for name in part:
            if name not in names:
                near = suggestion(name, sorted(names))
                raise self.error(f"expected entries {', '.join(sorted(where + one for one in names))}, got {where}{name}.{near}")

    def table(self, value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(f"expected a table [{name}], got {value!r}. Add it.")
        return value

    def list(self, value: Any, name: str) -> Iterable[Any]:
        if not isinstance(value, list):
            raise self.error(f"expected a list {name}, got {value!r}. Use brackets.")
        return value

    def flag(self, content: dict[str, Any], name: str) -> bool:
        value = content.get(name, False)
        if not isinstance(value, bool):
            raise self.error(f"expected {name} to be true or false, got {value!r}.")
        return value

    def word(self, content: dict[str, Any], name: str, default: str, choices: tuple[str, ...]) -> Any:
        value = content.get(name, default)
        if value not in choices:
            raise self.error(not_one_of(value, choices, name))
        return value

    def error(self, text: str) -> InputError:
        return InputError(f"{self.path}: {text}")
