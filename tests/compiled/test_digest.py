"""Digests of loops: equal for equal content wherever it stands, different for every difference that reaches the machine code."""

import math
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
import pytest

from dendrix.compiled import compiled
from dendrix.compiled.digest import digest

SOURCE = """
size = 3
table = np.arange(3.0)

def helper(x):
    return x + size

def loop(x, start=0, *, factor=1):
    return factor * helper(x) * table[1] + math.pi + start
"""


def module(source: str = SOURCE, file: str = "a.py") -> dict[str, Any]:
    names: dict[str, Any] = {"np": np, "math": math, "__name__": "loops"}
    exec(compile(source, file, "exec"), names)
    return names


def test_the_place_does_not_count() -> None:
    assert digest(module()["loop"]) == digest(module("\n\n# a comment\n" + SOURCE, "elsewhere/b.py")["loop"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size = 3", "size = 4"),
        ("size = 3", "size = 3.0"),
        ("size = 3", "size = np.float32(3)"),
        ("np.arange(3.0)", "np.arange(3)"),
        ("np.arange(3.0)", "np.array([0.0, 1.0, 2.5])"),
        ("x + size", "x - size"),
        ("start=0", "start=1"),
        ("factor=1", "factor=2"),
        ("math.pi", "math.e"),
        ("math.pi", "2.0"),
        ("def helper(x):\n    return x + size", "helper = abs"),
    ],
)
def test_every_change_counts(old: str, new: str) -> None:
    assert old in SOURCE
    assert digest(module()["loop"]) != digest(module(SOURCE.replace(old, new))["loop"])


def test_compiled_parts_count_with_their_options() -> None:
    plain, part = module(), module()["helper"]
    found = {digest(plain["loop"])}
    for reorder in (True, False):
        plain["helper"] = compiled(part, reorder)
        found.add(digest(plain["loop"]))
    assert len(found) == 3


def test_functions_may_call_each_other() -> None:
    names = module("def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)")
    assert digest(names["even"]) != digest(names["odd"])
    assert isinstance(names["even"], FunctionType)


def test_a_module_counts_with_its_source(tmp_path: Any) -> None:
    found = []
    for text in ("a = 1", "a = 2"):
        part = ModuleType("part")
        part.__file__ = str(tmp_path / "part.py")
        (tmp_path / "part.py").write_text(text)
        names = module("def loop():\n    return part.a") | {"part": part}
        names["loop"].__globals__["part"] = part
        found.append(digest(names["loop"]))
    assert found[0] != found[1]


def test_intrinsics_count_with_what_they_were_made_of() -> None:
    def made(lanes: int) -> Any:
        def tile(_: Any, x: Any) -> Any:
            return x, lanes

        return numba.extending.intrinsic(tile)

    names, found = module("def loop(x):\n    return tile(x)"), set()
    for lanes in (16, 32, 16):
        names["tile"] = made(lanes)
        found.add(digest(names["loop"]))
    assert len(found) == 2


def test_objects_are_refused() -> None:
    names = module("thing = object()\ndef loop():\n    return thing")
    with pytest.raises(TypeError, match="expected numbers, arrays, modules and functions"):
        digest(names["loop"])
