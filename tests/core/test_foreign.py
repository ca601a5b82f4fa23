"""Errors of the caller's code are one sentence; ours and the system's pass."""

import pytest

from dendrix.core.foreign import foreign
from dendrix.errors import InputError, KernelError


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("two\n  lines."), "x: expected y, got ValueError: two lines. Do z."),
        (KeyError("name"), "x: expected y, got KeyError: 'name'. Do z."),
        (AssertionError(), "x: expected y, got AssertionError. Do z."),
        (SystemExit(3), "x: expected y, got SystemExit: 3. Do z."),
    ],
)
def test_an_error_is_one_sentence_and_its_cause_is_kept(raised: BaseException, said: str) -> None:
    with pytest.raises(InputError) as error, foreign("x: expected y", "Do z."):
        raise raised
    assert str(error.value) == said
    assert error.value.__cause__ is raised


def test_a_long_message_is_cut() -> None:
    with pytest.raises(InputError) as error, foreign("x: expected y", "Do z."):
        raise ValueError("word " * 1000)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("raised", [KernelError("ours"), FileNotFoundError("the system's"), KeyboardInterrupt()])
def test_other_errors_pass(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as error, foreign("x: expected y", "Do z."):
        raise raised
    assert error.value is raised
