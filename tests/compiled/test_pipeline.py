"""Parts of compiled loops: they have no machine code of their own, and can be called from Python all the same."""

import sys
from typing import Any

import numba.core.codegen
import numpy as np
import pytest

from dendrix.compiled import cached_jit, compiled, watched_compilation
from dendrix.errors import KernelError
from dendrix.kernels.numba.specialise import specialise

part: Any = None


def inner(x: Any) -> Any:
    return 2 * x[0]


def outer(x: Any) -> Any:
    return part(x) + 1


def copy(x: Any, y: Any) -> None:
    y[1:] = x


def failing(x: Any) -> Any:
    if x[0] < 0:
        raise ValueError("negative")
    return x[0]


@pytest.mark.parametrize("part_first", [True, False])
def test_a_part_is_called_by_loops_and_by_python(part_first: bool) -> None:
    x = np.array([3.0])
    twice = specialise(inner, contract=part_first)
    whole = specialise(outer, part=twice)
    calls = [(twice, 6), (whole, 7)]
    for loop, expected in (calls if part_first else calls[::-1]) * 2:
        assert loop(x) == expected
    assert len(twice.overloads) == len(whole.overloads) == 1


def test_a_loop_that_is_only_a_part_is_not_compiled_on_its_own() -> None:
    names: list[str] = []
    twice = specialise(inner, any_order=True)
    with watched_compilation(names.append):
        specialise(outer, part=twice)(np.array([4.0], np.float32))
    assert not twice.overloads
    assert twice.__name__ not in names


def test_errors_of_parts_reach_python() -> None:
    whole = specialise(outer, part=specialise(failing))
    assert whole(np.array([1.0])) == 2
    with pytest.raises(ValueError, match="negative"):
        whole(np.array([-1.0]))


def test_slices_of_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match="cannot assign slice from input of different size"):
        compiled(copy)(np.ones(3), np.ones(3))


def test_loops_of_others_keep_the_errors_of_numba() -> None:
    """Numba's own text is restored after each compilation of ours."""
    import numba

    with pytest.raises(ValueError, match="cannot assign slice"):
        compiled(copy)(np.ones(3, np.int64), np.ones(3))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        numba.njit(copy)(np.ones(3, np.float32), np.ones(3))


def test_a_numba_without_what_is_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(numba.core.codegen, "JITCodeLibrary")
    monkeypatch.delitem(sys.modules, "dendrix.compiled.pipeline", raising=False)
    with pytest.raises(KernelError, match=rf"numba: expected version .* got {numba.__version__} \(.*JITCodeLibrary"):
        cached_jit(inner, False)
