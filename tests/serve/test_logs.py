"""The log of the server: bounded, and silent about what clients send."""

import io
import logging
from functools import partial

import pytest

from dendrix.serve import logs
from dendrix.serve.logs import Discreet, Sparse


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(written: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(written)
    handler.addFilter(Sparse())
    handler.setFormatter(Discreet("%(message)s"))
    found = logging.Logger("test")
    found.addHandler(handler)
    return found


def test_a_place_in_the_code_says_little_in_a_minute(logger: logging.Logger, written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (0.0, 10.0, 61.0):
        monkeypatch.setattr(logs.time, "monotonic", partial(float, now))
        for i in range(20):
            logger.warning("number %d", i)
        logger.warning("another place")
    lines = written.getvalue().splitlines()
    assert lines[:6] == [*[f"number {i}" for i in range(5)], "another place"]
    assert lines[6] == "another place"
    assert lines[7] == "number 0 (35 more like this in the minute before.)"
    assert len(lines) == 6 + 1 + 6


def test_exceptions_are_told_without_their_messages(logger: logging.Logger, written: io.StringIO) -> None:
    try:
        raise ValueError("my secret prompt")
    except ValueError as error:
        logger.error("A request failed.", exc_info=error)
    assert "A request failed." in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert "test_logs.py" in written.getvalue()
    assert "my secret prompt" not in written.getvalue().replace('raise ValueError("my secret prompt")', "")


def test_details_of_asyncio_are_left_out(written: io.StringIO) -> None:
    handler = logging.StreamHandler(written)
    handler.setFormatter(Discreet("%(message)s"))
    record = logging.LogRecord(
        "asyncio", logging.ERROR, "", 0, "Task exception was never retrieved\nfuture: <my secret prompt>", None, None
    )
    handler.handle(record)
    assert written.getvalue() == "Task exception was never retrieved\n"
