"""How a server ends: running answers have their time, and after a crash the next one answers the same."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models import SpikeGPT
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.serve.limits import Limits
from support.servers import Running, Start, soon


def test_running_answers_finish_and_new_ones_are_refused(start: Start) -> None:
    server = start()
    client = server.client()
    stream = client.completions.create(model="tiny", prompt="hello", max_tokens=1000, stream=True)
    next(stream)
    server.server.stop()
    assert soon(lambda: server.scheduler.draining)
    with pytest.raises(openai.InternalServerError, match="shutting down") as refused:
        client.completions.create(model="tiny", prompt="hello", max_tokens=1)
    assert (refused.value.status_code, refused.value.response.headers["Retry-After"]) == (503, "1")
    assert httpx.get(f"{server.url}/healthz").status_code == 503
    assert list(stream)[-1].choices[0].finish_reason == "length"


def test_an_answer_that_takes_longer_than_the_time_of_grace_ends_with_an_error(start: Start) -> None:
    server = start(Limits(grace_s=0))
    stream = server.client().completions.create(model="tiny", prompt="hello", max_tokens=2000, stream=True)
    next(stream)
    server.server.stop()
    with pytest.raises(openai.APIError, match="was shut down before the answer was complete"):
        list(stream)


def opened(server: Running, request: bytes, room: int | None = None) -> socket.socket:
    """A connection of a client that has sent this and reads nothing."""
    connection = socket.socket()
    if room is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.connect(server.address)
    connection.sendall(request)
    return connection


HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"


def test_idle_clients_do_not_delay_the_end(start: Start) -> None:
    server = start()
    clients = [opened(server, request) for request in (b"", HEAD, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")]
    time.sleep(0.5)
    began = time.monotonic()
    server.server.stop()
    assert soon(lambda: not server.alive(), 60)
    assert time.monotonic() - began < 4
    for client in clients:
        client.close()


@pytest.mark.slow
def test_clients_that_never_read_delay_the_end_within_its_limit(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(Limits(grace_s=1, new_tokens=100_000))
    asked = {"model": "tiny", "prompt": "a", "max_tokens": 100_000, "stream": True, "logprobs": 5}
    body = json.dumps(asked).encode()
    clients = [opened(server, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body, room=2048) for _ in range(3)]
    clients.append(opened(server, HEAD + b"Content-Length: 9\r\n\r\n{"))  # half of a body
    assert soon(lambda: server.scheduler.held == 3)
    began = time.monotonic()
    server.server.stop()
    assert soon(lambda: not server.alive(), 60)
    assert time.monotonic() - began < 1 + 5 + 4  # the time of grace, that to read the rest, and some for a busy machine
    assert "Exception in ASGI application" not in caplog.text
    for client in clients:
        client.close()


@contextmanager
def command(run: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], OpenAI]]:
    """The command `dendrix serve` and a client for it."""
    words = [sys.executable, "-m", "dendrix", "serve", str(run), "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            assert said.startswith("Serving run on http://127.0.0.1:")
            with OpenAI(base_url=said.split()[3].rstrip("."), api_key="none", max_retries=0, timeout=60) as client:
                yield process, client
        finally:
            process.kill()


@pytest.mark.extended
def test_killed_and_started_again(network: SpikeGPT, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    save_language_model(run, network, byte_tokenizer())
    asked = dict(model="run", prompt="hello", max_tokens=20, temperature=0)
    with command(run, 0) as (process, client):
        port, before = client.base_url.port, client.completions.create(**asked).choices[0].text
        stream = client.completions.create(**asked | {"max_tokens": 2000}, stream=True)
        next(stream)
        process.kill()
        with pytest.raises((openai.APIConnectionError, httpx.HTTPError)):
            list(stream)
    with command(run, port) as (process, client):  # the same port at once
        assert client.completions.create(**asked).choices[0].text == before
        stream = client.completions.create(**asked | {"max_tokens": 100}, stream=True)
        next(stream)
        process.send_signal(signal.SIGTERM)
        assert list(stream)[-1].choices[0].finish_reason == "length"
        assert process.wait(30) == 0
