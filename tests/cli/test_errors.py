"""Interruptions of commands: one that arrives where Python ignores exceptions is not lost."""

import signal
import time
import weakref

import pytest

from dendrix.cli.errors import Terminated, sigterm_interrupts


class Held:
    """Something that can be watched."""


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
def test_an_interruption_in_a_callback_is_repeated(number: int, raised: type[BaseException], request: pytest.FixtureRequest) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    held, seen = Held(), []

    def ended(_: object) -> None:
        seen.append(number)
        signal.raise_signal(number)

    watched = weakref.ref(held, ended)

    @sigterm_interrupts()
    def command() -> None:
        nonlocal held
        del held
        time.sleep(10)

    with pytest.raises(raised) as found:
        command()
    assert seen == [number]
    assert watched() is None
    assert found.type is raised
