"""Every option of a training has a help text, which tyro takes from the docstring of its class, one line for each field."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dendrix.data import ENCODERS, IntegerCochlea, IntegerMel
from dendrix.recipes import find_recipe, recipes


def kinds(value: Any) -> Iterator[type]:
    """The dataclass of a value, and those of its fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from kinds(getattr(value, field.name))


def silent(kind: type) -> list[str]:
    """Fields of a dataclass without a description of their own in the class or in one that it inherits from."""
    sources = [inspect.getsource(each) for each in kind.__mro__ if dataclasses.is_dataclass(each)]

    def has_text(name: str) -> bool:
        listed, below = rf"^        {name}: \S", rf'^    {name}: [^\n]*(?:\n        [^\n]*|\n    \)[^\n]*)*\n    """'
        return any(re.search(listed, source, re.MULTILINE) or re.search(below, source, re.MULTILINE) for source in sources)

    return [field.name for field in dataclasses.fields(kind) if not has_text(field.name)]


OPTIONS = {kind for listed in recipes() for kind in kinds(find_recipe(listed.name)())} | set(ENCODERS.values()) - {
    IntegerMel,
    IntegerCochlea,
}
"""Classes of recipes and their parts, and the encoders that take the place of another. Those in whole numbers are made from one."""


@pytest.mark.parametrize("kind", sorted(OPTIONS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_field_has_a_description(kind: type) -> None:
    assert silent(kind) == []
