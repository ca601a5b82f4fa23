from collections.abc import Iterator

import pytest
import torch

from dendrix.kernels.numba.pool import in_parts


@pytest.fixture(autouse=True)
def _threads_come_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_parts_cover_everything_once(threads: int, count: int) -> None:
    torch.set_num_threads(threads)
    seen: list[int] = []
    in_parts(lambda first, last: seen.extend(range(first, last)), count)
    assert sorted(seen) == list(range(count))


def test_an_error_in_a_part_is_not_lost() -> None:
    torch.set_num_threads(2)

    def work(first: int, _: int) -> None:
        if first:
            raise KeyError("second part")

    with pytest.raises(KeyError, match="second part"):
        in_parts(work, 4)
