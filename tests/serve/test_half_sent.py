"""Hundreds to thousands of half-sent requests at the real command: others are answered in time, and the log stays small."""

import math
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models import SpikeGPT
from dendrix.models.spikegpt.hf_files import save_language_model

HALVES = [
    b"",
    b"POST /v1/compl",
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
    b"\x00 is no HTTP\r\n\r\n",
]
MANY = 5000
ASKED = {"model": "run", "prompt": "a secret prompt", "max_tokens": 2}


@pytest.fixture
def room(count: int) -> int:
    """Half-sent requests that this machine has room for, each with a descriptor on both sides, with those of this process raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count + 1000 if hard == resource.RLIM_INFINITY else min(hard, count + 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    return min(count, most - 500)


@contextmanager
def served(folder: Path, log: Path, descriptors: int) -> Iterator[tuple[str, int]]:
    limited = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh"]
    words = [*limited, sys.executable, "-m", "dendrix", "serve", str(folder), "--port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("wb") as errors, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
        try:
            assert process.stdout
            yield "127.0.0.1", int(process.stdout.readline().split()[3].rstrip(".").split(":")[2].split("/")[0])
            assert process.poll() is None
        finally:
            process.kill()


def flood(address: tuple[str, int], connections: list[socket.socket], count: int) -> None:
    for number in range(count):
        connection = socket.create_connection(address, timeout=30)
        connections.append(connection)
        connection.sendall(HALVES[number % len(HALVES)])


@pytest.mark.parametrize(
    ("count", "descriptors", "late_s"),
    [(600, 256, math.inf), *[pytest.param(MANY, limit, 2.0, marks=pytest.mark.extended) for limit in (1024, 4096)]],
)
def test_half_sent_requests(network: SpikeGPT, tmp_path: Path, room: int, descriptors: int, late_s: float) -> None:
    """More half-sent requests than the server has descriptors cost no other client its answer, and in the long form none has to wait."""
    run, log = tmp_path / "run", tmp_path / "log"
    run.mkdir()
    save_language_model(run, network, byte_tokenizer())
    connections: list[socket.socket] = []
    waits: list[float] = []
    with served(run, log, descriptors) as address, ExitStack() as stack:
        stack.callback(lambda: [connection.close() for connection in connections])
        url = f"http://{address[0]}:{address[1]}/v1/completions"
        attacker = threading.Thread(target=flood, args=(address, connections, room))
        attacker.start()
        while attacker.is_alive() or len(waits) < 100:
            began = time.perf_counter()
            assert httpx.post(url, json=ASKED, timeout=30).status_code == 200
            waits.append(time.perf_counter() - began)
        attacker.join()
    late, size = float(np.quantile(waits, 0.99)), log.stat().st_size
    assert not [word for word in (b"out of system resource", b"secret", b"completions") if word in log.read_bytes()]
    print(f"{room} half-sent requests; {len(waits)} answers, p50 {np.median(waits):.3f} s, p99 {late:.3f} s; log of {size} bytes")
    assert late <= late_s
    assert size < 1_000_000
