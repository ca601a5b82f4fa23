"""Clients that leave, that read nothing or slowly, and that are too many."""

import socket

import httpx
import openai
import pytest

from dendrix.serve.limits import Limits
from support.servers import Start, soon

LONG = {"model": "tiny", "prompt": "hello", "max_tokens": 2000, "temperature": 0}


def test_a_stream_that_is_closed_gives_its_place_free(start: Start) -> None:
    server = start(Limits(running=1, waiting=0))
    for _ in range(3):  # with no room to wait, each has the place of the one before
        stream = server.client().completions.create(**LONG, stream=True)
        assert next(stream).choices[0].index == 0
        assert server.scheduler.held == 1
        stream.close()
        assert soon(lambda: server.scheduler.held == 0)


def test_a_request_that_is_given_up_gives_its_place_free(start: Start) -> None:
    server = start(Limits(new_tokens=10**6))
    with pytest.raises(openai.APITimeoutError):
        server.client().with_options(timeout=1).completions.create(**LONG | {"max_tokens": 10**6})
    assert soon(lambda: server.scheduler.held == 0)


def test_a_client_that_reads_nothing_is_waited_for_and_then_let_go(start: Start) -> None:
    limits = Limits(unread=8, stall_s=1.0, new_tokens=10**6)
    server = start(limits)
    body = httpx.Request("POST", server.url, json=LONG | {"n": 16, "max_tokens": 10**6, "stream": True}).read()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(server.address)
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert soon(lambda: server.scheduler.held == 16)
        assert server.client().completions.create(**LONG | {"max_tokens": 3}).choices  # others are served all the while
        assert soon(lambda: server.scheduler.held == 0)
    assert server.client().completions.create(**LONG | {"max_tokens": 3}).choices


def test_too_many_are_told_to_come_back(start: Start) -> None:
    server = start(Limits(running=2, waiting=1))
    client = server.client()
    first = client.completions.create(**LONG | {"n": 2}, stream=True)
    next(first)
    second = client.completions.create(**LONG | {"max_tokens": 3}, stream=True)  # waits: its headers have come, no text
    with pytest.raises(openai.RateLimitError, match="busy with 3") as refused:
        client.completions.create(**LONG)
    assert refused.value.response.headers["Retry-After"] == "1"
    first.close()
    assert "".join(chunk.choices[0].text for chunk in second)
    assert soon(lambda: server.scheduler.held == 0)
    assert client.completions.create(**LONG | {"max_tokens": 3}).choices
