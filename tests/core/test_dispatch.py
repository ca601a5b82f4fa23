import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from dendrix.core import KERNELS, chosen_kernels, find_kernel, kernel, scan, use_kernels


def double_step(x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * x, state + x


@pytest.fixture
def _fast_double() -> Iterator[None]:
    def refuses(x: Tensor, *_: object) -> str | None:
        return "more than three steps" if x.shape[1] > 3 else None

    @kernel(double_step, "cpu", refuses=refuses)
    def fast(x: Tensor, state: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor]:
        return x + x, torch.full_like(state, -1)

    yield
    del KERNELS[double_step, "cpu"]


def final(steps: int) -> float:
    return float(scan(double_step, torch.ones(1, steps, 1), torch.zeros(1, 1))[1])


@pytest.mark.usefixtures("_fast_double")
def test_auto_takes_the_kernel_unless_it_refuses() -> None:
    assert final(3) == -1
    assert "test_dispatch.fast" in chosen_kernels()["double_step on cpu"]
    assert final(4) == 4
    assert chosen_kernels()["double_step on cpu"] == "reference (more than three steps)"


@pytest.mark.usefixtures("_fast_double")
def test_reference_never_takes_it() -> None:
    with use_kernels("reference"):
        assert final(3) == 3
    assert final(3) == -1


@pytest.mark.usefixtures("_fast_double")
def test_required_turns_a_refusal_into_an_error() -> None:
    with use_kernels("required"):
        assert final(3) == -1
        with pytest.raises(RuntimeError, match="double_step was required, but: more than three steps"):
            final(4)


def test_required_without_a_kernel() -> None:
    with use_kernels("required"), pytest.raises(RuntimeError, match="no kernel for cpu"):
        final(1)


def test_the_mode_comes_back_after_an_error() -> None:
    with pytest.raises(KeyError), use_kernels("reference"):
        raise KeyError
    find_kernel("nothing", "cpu")
    assert chosen_kernels()["nothing on cpu"] == "reference (no kernel for cpu)"


@pytest.mark.usefixtures("_fast_double")
def test_the_mode_holds_for_its_thread_alone() -> None:
    with ThreadPoolExecutor(1) as pool, use_kernels("reference"):
        assert final(3) == 3
        assert pool.submit(final, 3).result() == -1


@pytest.mark.usefixtures("_fast_double")
def test_the_mode_holds_for_its_task_alone() -> None:
    async def task(mode: str) -> float:
        with use_kernels(mode):
            await asyncio.sleep(0)  # the other task enters its mode
            found = final(3)
            await asyncio.sleep(0)
        return found

    async def both() -> list[float]:
        return await asyncio.gather(task("reference"), task("auto"))

    assert asyncio.run(both()) == [3, -1]


@pytest.mark.usefixtures("_fast_double")
def test_a_compiled_function_follows_the_mode_of_its_caller() -> None:
    compiled: Callable[[int], float] = torch.compile(lambda x: scan(double_step, x, x[:, 0]), fullgraph=True, backend="eager")
    x = torch.ones(1, 3, 1)

    def run() -> float:
        return compiled(x)[1].item()

    assert run() == -1
    with ThreadPoolExecutor(1) as pool, use_kernels("reference"):
        assert run() == 4
        assert pool.submit(run).result() == -1
    assert run() == -1


@pytest.mark.usefixtures("_fast_double")
def test_the_mode_inside_a_compiled_function() -> None:
    def reference(x: Tensor) -> tuple[Tensor, Tensor]:
        with use_kernels("reference"):
            return scan(double_step, x, x[:, 0])

    x = torch.ones(1, 3, 1)
    assert torch.compile(reference, fullgraph=True, backend="eager")(x)[1] == 4
    assert final(3) == -1


def test_unknown_mode() -> None:
    with pytest.raises(ValueError, match="mode: expected one of auto, reference, required, got 'fast'"), use_kernels("fast"):
        pass
