"""Clients that send requests slowly, in part, or not at all: they lose their connection, and others are answered."""

import logging
import resource
import socket
import time
from contextlib import ExitStack

import httpx
import pytest

from dendrix.serve.limits import Limits
from dendrix.serve.server import room_for_connections
from support.servers import Running, Start, soon

HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
BODY = HEAD + b"Content-Length: 100\r\n\r\n{"
GOOD = {"model": "tiny", "prompt": "hello", "max_tokens": 2}


def connect(server: Running, sent: bytes) -> socket.socket:
    connection = socket.create_connection(server.address)
    connection.settimeout(20)
    connection.sendall(sent)
    return connection


def dropped(server: Running) -> int:
    page = httpx.get(f"{server.url}/metrics").text
    return int(float(page.split("\ndendrix_connections_dropped_total ")[1].split()[0]))


@pytest.mark.parametrize("sent", [b"", b"POST /v1/comp", HEAD, HEAD + b"X: " + b"a" * 1000], ids=["nothing", "line", "headers", "value"])
def test_a_request_that_is_not_completed_is_not_waited_for(start: Start, sent: bytes) -> None:
    server = start(Limits(stall_s=1))
    began = time.monotonic()
    with connect(server, sent) as connection:
        assert connection.recv(1000) == b""
    assert 0.9 < time.monotonic() - began < 10
    assert dropped(server) == 1


def test_headers_that_come_byte_by_byte_are_no_excuse(start: Start) -> None:
    server = start(Limits(stall_s=1))
    with connect(server, HEAD) as connection:
        connection.settimeout(0.1)
        for _ in range(100):
            try:
                connection.sendall(b"x")
                assert connection.recv(1000) == b""
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the connection stayed open for 10 s")


def test_a_connection_that_asks_nothing_more_is_closed_even_while_it_sends(start: Start) -> None:
    server = start(Limits(stall_s=1))
    body = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"  # which the answer does not wait for
    with connect(server, body) as connection:
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        connection.settimeout(0.1)
        assert soon(lambda: closed_while_sending(connection), 10)


def closed(connection: socket.socket) -> bool:
    """Whether the server closes a connection; with bytes that it has not read, the system reports that as a reset."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


def closed_while_sending(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
        return connection.recv(1000) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [HEAD, BODY], ids=["headers", "body"])
def test_those_who_wait_longest_make_room(start: Start, sent: bytes) -> None:
    server = start(Limits(connections=8, stall_s=60))
    with ExitStack() as stack:
        first = [stack.enter_context(connect(server, sent)) for _ in range(8)]
        assert soon(lambda: len(server.server.server_state.connections) == 8)
        with httpx.Client(base_url=server.url, timeout=20) as client:
            assert client.post("/v1/completions", json=GOOD).status_code == 200
            assert first[0].recv(1000) == b""
            first[1].settimeout(0.2)
            with pytest.raises(TimeoutError):
                first[1].recv(1000)


def test_answers_that_run_keep_their_connections(start: Start) -> None:
    server = start(Limits(connections=2))
    streams = [server.client().completions.create(**GOOD | {"max_tokens": 300}, stream=True) for _ in range(2)]
    for stream in streams:
        next(stream)
    with connect(server, HEAD) as late:
        assert closed(late)
    assert [list(stream)[-1].choices[0].finish_reason for stream in streams] == ["length", "length"]


def test_a_client_that_keeps_its_connection_is_not_disturbed(start: Start) -> None:
    server = start(Limits(stall_s=1))
    with httpx.Client(base_url=server.url) as client:
        for _ in range(6):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.3)
    assert dropped(server) == 0


def test_garbage_does_not_fill_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    from dendrix.serve.logs import Sparse

    server = start()
    caplog.handler.addFilter(sparse := Sparse())
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(200):
                with connect(server, b"\x00secret\r\n\r\n") as connection:
                    assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    finally:
        caplog.handler.removeFilter(sparse)
    assert 0 < len(caplog.records) <= 5
    assert "secret" not in caplog.text


def test_connections_leave_room_for_other_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert room_for_connections(10) == 10
        most = room_for_connections(10**9)
        assert most < resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert room_for_connections(500) == 500
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
