"""Several processes at one socket, with one Redis: killed ones are replaced, and acknowledged turns survive."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models import SpikeGPT
from dendrix.models.spikegpt.hf_files import save_language_model
from support.redis import redis_server
from support.servers import soon

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def run(network: SpikeGPT, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    folder.mkdir()
    save_language_model(folder, network, byte_tokenizer())
    return folder


@contextmanager
def command(run: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command `dendrix serve` and its address."""
    words = [sys.executable, "-m", "dendrix", "serve", str(run), "--port", "0", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", said)
            assert found, said
            yield process, found[0]
        finally:
            process.kill()


def workers_of(process: int) -> list[int]:
    """The processes that run a worker."""
    children = [int(id) for file in Path(f"/proc/{process}/task").glob("*/children") for id in file.read_text().split()]
    return [id for id in children if b"spawn_main" in Path(f"/proc/{id}/cmdline").read_bytes()]


def ask(url: str, prompt: str, session: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 9, "temperature": 0, "session": session} | fields
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=60)
    return {"status": answer.status_code} | answer.json()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_share_sessions_and_a_killed_one_loses_nothing(run: Path, tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis, command(run, "--workers", "2", "--store", redis.url) as (process, url):
        session = httpx.post(f"{url}/v1/sessions").json()["id"]
        workers, turn = workers_of(process.pid), 0
        assert len(workers) == 2
        killed = workers[0]
        for number in range(40):
            if number == 10:
                os.kill(killed, signal.SIGKILL)
            try:
                answer = ask(url, "Once", session)
            except httpx.TransportError:  # it was answered by the worker that was killed
                known = httpx.get(f"{url}/v1/sessions/{session}").json()["turn"]
                assert known in (turn, turn + 1)
                turn = known
                continue
            assert answer["status"] == 200
            turn += 1
            assert answer["session"]["turn"] == turn
        assert soon(lambda: len(workers_of(process.pid)) == 2 and killed not in workers_of(process.pid), 120)
        metrics = httpx.get(f"{url}/metrics").text
        assert float(re.search(r"dendrix_new_tokens_total ([\d.]+)", metrics)[1]) >= 9 * (turn - 1)  # type: ignore[index]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_workers_without_a_store_keep_no_sessions(run: Path) -> None:
    with command(run, "--workers", "2") as (process, url):
        answer = httpx.post(f"{url}/v1/sessions")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_sessions")
        assert ask(url, "Once")["status"] == 200
        with httpx.stream(
            "POST", f"{url}/v1/completions", json={"model": "tiny", "prompt": "a", "max_tokens": 400, "stream": True}
        ) as stream:
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert "data: [DONE]" in list(lines)  # running answers are completed
        assert process.wait(60) == 0
