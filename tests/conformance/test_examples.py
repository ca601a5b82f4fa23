"""Every `Stateful` of the package has an example for this suite, or an explicit reason to have none."""

import pytest

from dendrix.core import Stateful
from support.layers import ABSTRACT, EXAMPLES, Example, import_all, subclasses, without_example


def own() -> set[type[Stateful]]:
    """All classes that dendrix defines."""
    import_all()
    return {cls for cls in {Stateful, *subclasses(Stateful)} if cls.__module__.split(".")[0] == "dendrix"}


def test_every_class_has_an_example_or_a_reason() -> None:
    found = without_example(own())
    assert not found, f"{found} need an Example in tests/support/layers.py, or a reason in ABSTRACT"


def test_a_new_class_is_noticed() -> None:
    class New(Stateful):
        pass

    assert without_example({New, *own()}) == {New}


def test_reasons_and_examples_belong_to_classes_that_exist() -> None:
    listed = {example.of for name, example in EXAMPLES.items() if not name.startswith("a user's")} | set(ABSTRACT)
    assert listed <= own()
    assert not set(ABSTRACT) & {example.of for example in EXAMPLES.values()}


@pytest.mark.parametrize("example", EXAMPLES, indirect=True)
def test_an_example_has_its_class_in_it(example: Example) -> None:
    assert any(type(module) is example.of for module in example.build().modules())
