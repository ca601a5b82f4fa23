import contextlib
import os
import signal
import time
from collections.abc import Iterator
from random import Random

import pytest
import torch

from dendrix.core.threads import in_parts


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_interrupt_is_lost() -> None:
    """Whenever it comes, it is raised in the thread that waits for the others."""
    torch.set_num_threads(2)
    fired = False

    def interrupt(*_: object) -> None:
        nonlocal fired
        fired = True
        raise KeyboardInterrupt

    before, random = signal.signal(signal.SIGALRM, interrupt), Random(0)
    lost = 0
    try:
        for _ in range(300):
            fired = False
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-4))
                in_parts(lambda first, last: None, 16)
                lost += fired
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert lost == 0


def test_a_forked_child_has_threads_of_its_own() -> None:
    """Those of the parent do not exist there; waiting for them would take forever."""
    torch.set_num_threads(2)
    in_parts(lambda first, last: None, 4)
    child = os.fork()
    if not child:
        os._exit(_sums_in_parts())
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child did not end")


def _sums_in_parts() -> int:
    seen: list[int] = []
    in_parts(lambda first, last: seen.extend(range(first, last)), 8)
    return int(sorted(seen) != list(range(8)))
