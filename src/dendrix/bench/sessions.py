"""Sessions of `dendrix serve`: time to the first token of a late turn, memory of a turn, and throughput with states kept or not."""

import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..samples import find_sample
from .load import Address, Reply, ask, ask_at_once
from .serving import Load, Process, requests, saved, served

_LENGTHS, _SMOKE_LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000), (200, 400)
_NEW = 64
"""Tokens of the prompt of a turn."""
_REPEATS = 5
_ROUNDS = 11
_LOAD, _SMOKE_LOAD = Load("1M", 100, 64, 64), Load("1M", 10, 8, 8)
_PROMPT = 8_000
"""Tokens per turn while a session grows."""


@dataclass(frozen=True)
class Setup:
    """A way to serve the same load."""

    name: str
    options: tuple[str, ...] = ()
    """Options of `dendrix serve`."""
    store: bool = False
    """Whether states are kept in Redis."""
    replicas: int = 1
    sessions: bool = False
    """Whether every stream is a turn of a session of its own."""


SETUPS = (
    Setup("nothing kept", ("--limits.prefix-bytes", "0")),
    Setup("prefixes"),
    Setup("sessions", sessions=True),
    Setup("2 workers", ("--workers", "2", "--limits.prefix-bytes", "0")),
    Setup("sessions in Redis", store=True, sessions=True),
    Setup("2 replicas, sessions in Redis", store=True, replicas=2, sessions=True),
)


def measured(threads: int, smoke: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure both, and return the record.

    Args:
        threads: number of threads of each server.
        smoke: short texts and few streams.
        say: receives a line before each measurement.
    Raises:
        RuntimeError: a stream was lost, or an answer differs from the one without a session. No figures are returned then.
    """
    with tempfile.TemporaryDirectory() as base:
        return {
            "threads": threads,
            "turns": late_turns(Path("novels"), threads, _SMOKE_LENGTHS if smoke else _LENGTHS, say),
            "throughput": throughput(saved("1M", Path(base)), threads, _SMOKE_LOAD if smoke else _LOAD, 1 if smoke else _ROUNDS, say),
        }


def late_turns(folder: Path, threads: int, lengths: Sequence[int], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure turns of one session, and the same turns with the whole text as prompt, on a server that keeps no prefixes.

    Args:
        folder: language model, or the name of a shipped one.
        threads: number of threads of the server.
        lengths: lengths of the session, ascending, in tokens.
        say: receives a line for each length.
    """
    text = list(find_sample("harbour.txt").read_bytes())
    text = (text * (1 + lengths[-1] // len(text)))[: lengths[-1] + _NEW]
    options = "--limits.prefix-bytes", "0", "--limits.prompt-tokens", str(len(text)), "--limits.body-bytes", str(1 << 24)
    found = []
    with served(folder, threads, options=options) as server:
        session, length = _post(server.address, "")["id"], 0
        body = {"model": folder.name, "temperature": 0}
        for end in lengths:
            say(f"sessions: a turn after {end:,} tokens")
            while length < end:
                part = text[length : min(end, length + _PROMPT)]
                _answered(server.address, body | {"prompt": part, "session": session, "max_tokens": 0})
                length += len(part)
            turn, before = text[end : end + _NEW], text[:end]
            with_session, without = [], []
            for _ in range(_REPEATS if end <= 10_000 else 2):
                fork = _post(server.address, f"/{session}/fork")["id"]
                with_session.append(_first(server, body | {"prompt": turn, "session": fork, "max_tokens": 8}))
                without.append(_first(server, body | {"prompt": before + turn, "max_tokens": 8}))
            if len({text for _, _, text in with_session + without}) != 1:
                raise RuntimeError(f"sessions: the answers after {end} tokens differ with and without a session. This is a bug.")
            with urllib.request.urlopen(_url(server.address, f"/{session}/export")) as answer:
                size = len(answer.read())
            found.append({"tokens": end, "bytes_of_turn": size, "session": _medians(with_session), "whole": _medians(without)})
    return found


def throughput(folder: Path, threads: int, load: Load, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Serve the same load in all ways that are possible here, one after another in every round.

    Args:
        folder: language model.
        threads: number of threads of each server.
        load: the streams.
        rounds: number of rounds.
        say: receives a line for each round.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(_redis())
        setups = [setup for setup in SETUPS if redis or not setup.store]
        servers = {
            setup.name: [
                stack.enter_context(
                    served(folder, threads, options=(*setup.options, *(("--store", redis) if setup.store and redis else ())))
                )
                for _ in range(setup.replicas)
            ]
            for setup in setups
        }
        measurements: dict[str, list[dict[str, float]]] = {setup.name: [] for setup in setups}
        expected: list[str] = []
        for number in range(rounds + 1):
            say(f"sessions: {load}, round {number} of {rounds}")
            for setup in setups:
                replies, measurement = _served_load(servers[setup.name], load, setup.sessions)
                texts = [reply.text for reply in replies]
                if number == 0:  # compiles, and gives the answers with which others are compared
                    expected = expected or texts
                else:
                    measurements[setup.name].append(measurement)
                if texts != expected or not all(reply.complete for reply in replies):
                    raise RuntimeError(f"sessions: {setup.name}: streams were lost or answers differ. This is a bug.")
        return {
            "streams": load.streams,
            "prompt_tokens": load.prompt_tokens,
            "new_tokens": load.new_tokens,
            "rounds": rounds,
            "redis": redis is not None,
            "setups": {name: _summary(each, measurements["nothing kept"]) for name, each in measurements.items()},
        }


def _served_load(servers: list[Process], load: Load, sessions: bool) -> tuple[list[Reply], dict[str, float]]:
    bodies = requests(load)
    wanted = [bodies[i % len(bodies)] for i in range(load.streams)]
    addresses = [servers[i % len(servers)].address for i in range(load.streams)]
    if sessions:
        wanted = [body | {"session": _post(address, "")["id"]} for body, address in zip(wanted, addresses, strict=True)]
    began, worked = time.perf_counter(), sum(server.cpu_s() for server in servers)

    async def streams() -> list[Reply]:
        return await asyncio.gather(*[ask(address, body) for address, body in zip(addresses, wanted, strict=True)])

    replies = asyncio.run(streams())
    seconds, worked = time.perf_counter() - began, sum(server.cpu_s() for server in servers) - worked
    for body, address in zip(wanted, addresses, strict=True):
        if sessions:
            _request(address, f"/{body['session']}", "DELETE")
    tokens = load.streams * load.new_tokens
    return replies, {"tokens_per_s": tokens / seconds, "tokens_per_cpu_s": tokens / worked}


def _summary(each: list[dict[str, float]], baseline: list[dict[str, float]]) -> dict[str, float]:
    """Medians over the rounds, and of the ratios to the baseline of the same round."""
    found = {}
    for name in each[0]:
        found[name] = statistics.median(one[name] for one in each)
        found[f"{name}_ratio"] = statistics.median(one[name] / base[name] for one, base in zip(each, baseline, strict=True))
    return found


def _first(server: Process, body: dict[str, Any]) -> tuple[float, float, str]:
    """Return the time to the first text, the processor time of the server, and the text."""
    worked = server.cpu_s()
    [reply] = ask_at_once(server.address, [body])
    if not reply.complete:
        raise RuntimeError(f"sessions: a stream was lost: {reply}.")
    return reply.arrivals_s[0], server.cpu_s() - worked, reply.text


def _medians(each: list[tuple[float, float, str]]) -> dict[str, float]:
    return {"first_text_s": statistics.median(one[0] for one in each), "cpu_s": statistics.median(one[1] for one in each)}


def _url(address: Address, path: str) -> str:
    return f"http://{address[0]}:{address[1]}/v1/sessions{path}"


def _request(address: Address, path: str, method: str) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(_url(address, path), method=method)) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _post(address: Address, path: str) -> dict[str, Any]:
    return _request(address, path, "POST")


def _answered(address: Address, body: dict[str, Any]) -> None:
    [reply] = ask_at_once(address, [body])
    if not reply.complete:
        raise RuntimeError(f"sessions: a turn was refused: {reply}.")


@contextmanager
def _redis() -> Iterator[str | None]:
    """The address of a Redis server of this benchmark; None where Redis or its client is not installed."""
    if shutil.which("redis-server") is None or find_spec("redis") is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()


def table(found: dict[str, Any]) -> str:
    """Section of the report."""
    turns, load = found["turns"], found["throughput"]
    lines = ["## Sessions", "", f"Turns of {_NEW} tokens of one session of `novels`, beside requests with the whole text. Times in s.", ""]
    lines += [
        "| tokens before | first text: session | whole text | ratio | CPU: session | whole text | bytes of a turn |",
        "|---" * 7 + "|",
    ]
    for turn in turns:
        one, other = turn["session"], turn["whole"]
        ratio = other["first_text_s"] / one["first_text_s"]
        times = f"{one['first_text_s']:.3f} | {other['first_text_s']:.3f} | {ratio:,.1f} | {one['cpu_s']:.3f} | {other['cpu_s']:.3f}"
        lines.append(f"| {turn['tokens']:,} | {times} | {turn['bytes_of_turn']:,} |")
    about = (
        f"{load['streams']} greedy streams of {load['prompt_tokens']} + {load['new_tokens']} tokens, medians of {load['rounds']} rounds."
    )
    lines += ["", about, "", "| kept | tokens/s | ratio | tokens per CPU s | ratio |", "|---" * 5 + "|"]
    for name, each in load["setups"].items():
        speeds = f"{each['tokens_per_s']:,.0f} | {each['tokens_per_s_ratio']:.2f}"
        lines.append(f"| {name} | {speeds} | {each['tokens_per_cpu_s']:,.0f} | {each['tokens_per_cpu_s_ratio']:.2f} |")
    return "\n".join(lines) + "\n"
