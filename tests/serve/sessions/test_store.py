"""Both stores keep sessions and prefixes alike; the one of Redis needs a server, which is started if it is installed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from dendrix.serve.sessions.memory import MemoryStore
from dendrix.serve.sessions.record import Session, Turn
from dendrix.serve.sessions.store import AbsentError, ConflictError, FullError, Store, UnavailableError
from support.redis import Redis, redis_server

Result = TypeVar("Result")
Make = Callable[..., Store]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.extended)])
def make(request: pytest.FixtureRequest) -> Make:
    """A function that makes a store with a time to live."""
    if request.param == "memory":
        return lambda ttl_s=60.0: MemoryStore(ttl_s, 1 << 20, 1 << 20)
    from dendrix.serve.sessions.redis_store import RedisStore

    server = request.getfixturevalue("redis")
    server.client.flushall()
    return lambda ttl_s=60.0: RedisStore(server.url, "model", ttl_s)


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    async def whole() -> Result:
        return await work()

    return asyncio.run(whole())


def begun(owner: str = "me") -> Session:
    return Session(owner, (Turn(0, 0, 1),))


def test_a_session_is_created_grows_shrinks_and_goes(make: Make) -> None:
    async def work() -> None:
        store, first = make(), begun()
        await store.put(first, {0: b"zero"}, None)
        assert await store.get("me", first.id) == first
        second = first.grown(5, 10)
        await store.put(second, {1: b"one"}, first.version)
        third = second.grown(9, 10)
        await store.put(third, {2: b"two"}, second.version)
        assert [await store.state(third, turn.number) for turn in third.turns] == [b"zero", b"one", b"two"]
        back = third.until(1)
        await store.put(back, {}, third.version)
        with pytest.raises(AbsentError):
            await store.state(third, 2)
        assert await store.of_owner("me") == [back]
        assert await store.of_owner("other") == []
        await store.delete(back)
        with pytest.raises(AbsentError):
            await store.get("me", first.id)
        with pytest.raises(AbsentError):
            await store.put(back.grown(1, 10), {2: b"2"}, back.version)
        assert await store.of_owner("me") == []
        await store.close()

    run(work)


def test_of_two_changes_at_once_one_is_made(make: Make) -> None:
    async def work() -> None:
        store, first = make(), begun()
        await store.put(first, {0: b""}, None)
        for session in (first, first.grown(1, 10)):  # creation, and a turn from a version that is not the newest
            with pytest.raises(ConflictError):
                await store.put(session.grown(2, 10), {1: b"x"}, 7)
        grown = [first.grown(tokens, 10) for tokens in range(8)]
        done = await asyncio.gather(*[store.put(each, {1: bytes([i])}, 0) for i, each in enumerate(grown)], return_exceptions=True)
        assert [type(each) for each in done if each is not None] == [ConflictError] * 7
        won = done.index(None)
        assert await store.get("me", first.id) == grown[won]
        assert await store.state(grown[won], 1) == bytes([won])
        await store.close()

    run(work)


def test_a_session_belongs_to_its_owner(make: Make) -> None:
    async def work() -> None:
        store, mine = make(), begun()
        await store.put(mine, {0: b""}, None)
        with pytest.raises(AbsentError):
            await store.get("other", mine.id)
        await store.close()

    run(work)


def test_unused_sessions_expire(make: Make) -> None:
    async def work() -> None:
        store, used, unused = make(1.0), begun(), begun()
        for session in (used, unused):
            await store.put(session, {0: b"state"}, None)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            await store.get("me", used.id)
            await asyncio.sleep(0.1)
        with pytest.raises(AbsentError):
            await store.get("me", unused.id)
        assert [session.id for session in await store.of_owner("me")] == [used.id]
        await store.close()

    run(work)


def test_the_longest_prefix_is_found(make: Make) -> None:
    async def work() -> None:
        store = make()
        await store.keep(b"a", b"A")
        await store.keep(b"b", b"B")
        assert await store.find([b"z", b"b", b"a"]) == (1, b"B")
        assert await store.find([b"z"]) is await store.find([]) is None
        await store.close()

    run(work)


def test_the_least_recently_used_prefixes_go_first() -> None:
    async def work() -> None:
        store = MemoryStore(60, 0, 30)
        for name in (b"a", b"b", b"c"):
            await store.keep(name, name * 10)
        assert await store.find([b"a"]) is not None
        await store.keep(b"d", b"d" * 10)
        assert [await store.find([name]) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
        await store.keep(b"a", b"a" * 25)
        assert store.prefix_size == 25
        await store.keep(b"large", b"l" * 31)
        assert store.prefix_size == 0

    run(work)


def test_the_budget_of_sessions_is_kept() -> None:
    async def work() -> None:
        store, first = MemoryStore(60, 10, 0), begun()
        await store.put(first, {0: b"12345"}, None)
        with pytest.raises(FullError):
            await store.put(begun(), {0: b"123456"}, None)
        grown = first.grown(3, 1)  # the earlier state goes
        await store.put(grown, {1: b"1234567890"}, 0)
        assert store.session_size == 10
        await store.delete(grown)
        assert store.session_size == 0

    run(work)


@pytest.mark.extended
def test_redis_that_is_full_gone_and_back(redis: Redis) -> None:
    from dendrix.serve.sessions.redis_store import RedisStore

    redis.client.flushall()

    async def work() -> None:
        store, first = RedisStore(redis.url, "model", 60), begun()
        await store.put(first, {0: b"zero"}, None)
        redis.client.config_set("maxmemory", "1")
        with pytest.raises(FullError):
            await store.put(first.grown(1, 10), {1: b"x" * 100}, 0)
        with pytest.raises(FullError):
            await store.put(begun(), {0: b"zero"}, None)
        await store.keep(b"digest", b"state")
        assert await store.get("me", first.id) == first
        redis.client.config_set("maxmemory", "0")
        assert await store.find([b"digest"]) is None
        redis.stop()
        with pytest.raises(UnavailableError):
            await store.get("me", first.id)
        with pytest.raises(UnavailableError):
            await store.put(first.grown(1, 10), {1: b"one"}, 0)
        assert await store.find([b"digest"]) is None
        redis.start()
        assert await store.get("me", first.id) == first  # Redis has written it on its disk
        await store.put(first.grown(1, 10), {1: b"one"}, 0)
        await store.close()

    run(work)


@pytest.mark.extended
def test_redis_that_is_slow(redis: Redis) -> None:
    from dendrix.serve.sessions.redis_store import RedisStore

    redis.client.config_set("maxmemory", "0")
    redis.client.flushall()

    async def work() -> None:
        store, first = RedisStore(redis.url, "model", 60), begun()
        await store.put(first, {0: b"zero"}, None)
        await store.keep(b"digest", b"state")
        redis.pause()
        try:
            began = time.monotonic()
            with pytest.raises(UnavailableError):
                await store.put(first.grown(1, 10), {1: b"one"}, 0)
            assert await store.find([b"digest"]) is None
            between = time.monotonic()
            assert between - began < 8
            assert await store.find([b"digest"]) is None  # without waiting again
            assert time.monotonic() - between < 1
        finally:
            redis.resume()
        found = await store.get("me", first.id)
        assert found.head.number in (0, 1)  # a change without an answer may or may not have been made
        assert [await store.state(found, turn.number) for turn in found.turns] == [b"zero", b"one"][: len(found.turns)]
        await store.close()

    run(work)


def test_records_survive_json() -> None:
    session = begun().grown(7, 10).until(1)
    assert Session.from_json(session.to_json()) == session
