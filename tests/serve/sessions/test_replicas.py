"""Sessions and prefixes in Redis, of which any replica continues any; what was acknowledged survives replicas, and Redis may fail."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from support.redis import Redis, redis_server
from support.servers import Running, running, soon

pytestmark = pytest.mark.extended
LONG = "It was a bright cold day in the harbour, and the clocks were late. " * 3


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as found:
        yield found


@contextmanager
def replica(served: Served, redis: Redis, limits: Limits = Limits()) -> Iterator[Running]:
    from dendrix.serve.sessions.redis_store import RedisStore

    with running(served, limits, store=RedisStore(redis.url, f"{served.decoder.fingerprint}:float32", limits.session_s)) as found:
        yield found


@pytest.fixture
def replicas(served: Served, redis: Redis) -> Iterator[list[Running]]:
    """Two servers with one Redis."""
    redis.client.config_set("maxmemory", "0")
    with ExitStack() as stack:
        yield [stack.enter_context(replica(served, redis)) for _ in range(2)]


def ask(server: Running, prompt: str, session: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 9, "temperature": 0, "session": session} | fields
    answer = httpx.post(f"{server.url}/v1/completions", json=body, timeout=60)
    return {"status": answer.status_code} | answer.json()


def call(server: Running, method: str, path: str = "") -> httpx.Response:
    return httpx.request(method, f"{server.url}/v1/sessions{path}", timeout=60)


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["text"])


def test_any_replica_continues_a_session(replicas: list[Running], tiny: Running) -> None:
    session, alone = call(replicas[0], "POST").json()["id"], call(tiny, "POST").json()["id"]
    for turn, prompt in enumerate(("Once upon", " a time", " there", " was")):
        assert text(ask(replicas[turn % 2], prompt, session)) == text(ask(tiny, prompt, alone))
    found = [call(server, "GET", f"/{session}").json() for server in replicas]
    assert found[0] == found[1]
    assert found[0]["turn"] == 4
    fork = call(replicas[1], "POST", f"/{session}/fork?turn=2").json()["id"]
    assert text(ask(replicas[0], " there", fork)) == text(ask(tiny, " there", call(tiny, "POST", f"/{alone}/fork?turn=2").json()["id"]))
    assert {session, fork} <= {each["id"] for each in call(replicas[1], "GET").json()["data"]}
    assert call(replicas[1], "DELETE", f"/{session}").status_code == 200
    assert ask(replicas[0], "x", session)["status"] == 404


def test_a_prefix_is_known_to_all(replicas: list[Running]) -> None:
    first = ask(replicas[0], LONG)

    def known() -> int:
        return int(ask(replicas[1], LONG + "!", max_tokens=1)["usage"]["prompt_tokens_details"]["cached_tokens"])

    assert soon(lambda: known() == len(LONG) // 64 * 64)
    assert text(ask(replicas[1], LONG)) == text(first)


def test_of_two_turns_at_once_one_is_kept(replicas: list[Running]) -> None:
    session = call(replicas[0], "POST").json()["id"]
    found: list[dict[str, Any]] = [{}, {}]

    def turn(place: int) -> None:
        found[place] = ask(replicas[place], ("red", "blue")[place], session, max_tokens=400)

    threads = [threading.Thread(target=turn, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [answer for answer in found if answer["status"] == 200]
    lost = [answer for answer in found if answer["status"] == 409]
    assert len(kept) >= 1
    assert len(kept) + len(lost) == 2
    assert call(replicas[0], "GET", f"/{session}").json()["turn"] == len(kept)
    if lost:
        assert lost[0]["error"]["code"] == "conflict"
    other = call(replicas[0], "POST").json()["id"]
    for answer in sorted(kept, key=lambda answer: int(answer["session"]["turn"])):  # the session is as if only these turns had been
        prompt = ("red", "blue")[found.index(answer)]
        assert text(ask(replicas[0], prompt, other, max_tokens=400)) == text(answer)
    assert text(ask(replicas[1], "!", session)) == text(ask(replicas[1], "!", other))


def test_redis_goes_comes_back_and_is_full(replicas: list[Running], redis: Redis) -> None:
    server, _ = replicas
    session, other = call(server, "POST").json()["id"], call(server, "POST").json()["id"]
    first = ask(server, "Once", session)
    redis.stop()
    try:
        gone = ask(server, " upon", session)
        assert (gone["status"], gone["error"]["code"]) == (503, "store_unavailable")
        assert call(server, "POST").status_code == 503
        assert text(ask(server, "Once")) == text(first)  # without a session, answers are given from memory
    finally:
        redis.start()
    again = ask(server, " upon", session)
    assert again["session"]["turn"] == 2
    redis.client.config_set("maxmemory", "1")
    full = ask(server, " a", session)
    assert (full["status"], full["error"]["code"]) == (429, "store_full")
    assert call(server, "GET", f"/{session}").json()["turn"] == 2
    assert text(ask(server, "Once")) == text(first)
    redis.client.config_set("maxmemory", "0")
    assert [ask(server, prompt, other)["status"] for prompt in ("Once", " upon", " a")] == [200] * 3
    assert text(ask(server, " a", session)) == text(ask(server, " a", call(server, "POST", f"/{other}/fork?turn=2").json()["id"]))


def test_redis_is_slow(replicas: list[Running], redis: Redis) -> None:
    server, _ = replicas
    session = call(server, "POST").json()["id"]
    redis.pause()
    try:
        assert ask(server, "Once", session)["status"] == 503
        assert ask(server, LONG)["status"] == 200
    finally:
        redis.resume()
    assert soon(lambda: ask(server, "Once", session)["status"] == 200)
