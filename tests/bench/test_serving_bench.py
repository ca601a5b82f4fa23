"""The load on a server: what a client sees of it, and what is written."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dendrix.bench import serving, trouble
from dendrix.bench.load import Address, ask_at_once

EVENTS = b"".join(b'data: {"choices": [{"text": "%d"}]}\n\n' % i for i in range(3))


@contextmanager
def answering(answer: bytes) -> Iterator[Address]:
    """A server that gives one client these bytes and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        thread.join()


def test_a_stream_is_read_to_its_end() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + EVENTS + b"data: [DONE]\n\n") as address:
        [reply] = ask_at_once(address, [{"prompt": "a"}])
    assert (reply.status, reply.text, reply.complete, len(reply.arrivals_s)) == (200, "012", True, 3)


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [(b"", 0, ""), (b"HTTP/1.1 200 OK\r\n\r\n" + EVENTS, 200, "012"), (b"HTTP/1.1 429 Busy\r\n\r\n{}", 429, "")],
)
def test_a_stream_that_breaks_off_is_not_complete(answer: bytes, status: int, text: str) -> None:
    with answering(answer) as address:
        [reply] = ask_at_once(address, [{"prompt": "a"}])
    assert (reply.status, reply.text, reply.complete) == (status, text, False)


@pytest.mark.extended
def test_a_quick_load_is_borne_and_written() -> None:
    told = list[str]()
    [record] = serving.measured(1, smoke=True, say=told.append)
    assert len(told) == 1
    assert record["tokens_per_s"] == pytest.approx(64 / record["seconds"] * 10 / 8)
    assert record["state_kib"] == 13.125
    assert "| 1M | 10 | 8, 8 |" in serving.table([record])


@pytest.mark.extended
def test_quick_trouble_is_told() -> None:
    found = trouble.measured(1, smoke=True, say=lambda line: None)
    assert found["answered"] + found["refused"] == 30
    assert 10 <= found["answered"] < 30  # a place that is free again before the last has asked takes one more
    assert found["answered_after_they_left"] == found["room"] == 10
    assert found["oversized_refused"] == found["oversized"] == 5
    assert "30 streams at the same time on a server with room for 10" in trouble.table(found)
