"""How a server ends: running answers have their time, and after a crash the next one answers the same."""

import os
import signal
import subprocess
import sys
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
from support.servers import Start, soon


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
