"""Store in Redis or Valkey, shared by the processes that serve a model. The only module that imports redis."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError, WatchError

from ...errors import InputError
from .record import Session
from .store import AbsentError, ConflictError, FullError, UnavailableError

_PATIENCE_S = 2.0
"""Seconds that Redis may take for one answer."""
_PAUSE_S = 5.0
"""Seconds without access to prefixes after a failure, so that a slow store does not delay every request."""
_WRITES = 64
"""States of prefixes that may be on their way to Redis; further ones are not kept."""


class RedisStore:
    """Sessions and prefixes in Redis, which removes what is not used for the time to live. Methods as in `Store`.

    A session is a hash with its record, its version and the state of each turn, and changes in one transaction. Its memory is limited by
    `maxmemory` of Redis. With the policy `noeviction`, full memory is an error; other policies also remove sessions.

    Args:
        url: address such as redis://localhost:6379/0, as for `redis.Redis.from_url`.
        model: beginning of all keys, different for models whose states differ.
        ttl_s: seconds without use after which sessions and prefixes are removed.
    Raises:
        InputError: the address is invalid.
    """

    def __init__(self, url: str, model: str, ttl_s: float):
        try:
            self._redis: Any = Redis.from_url(  # Any, because its types permit str where this client returns bytes
                url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, retry=Retry(NoBackoff(), 0), decode_responses=False
            )
        except ValueError as error:
            raise _invalid(error) from error
        self._model, self._ttl_ms = f"dendrix:{model}", int(ttl_s * 1000)
        self._paused_until, self._writing = 0.0, 0

    async def get(self, owner: str, id: str) -> Session:
        with _errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hget(self._key(id), "record")
                pipe.pexpire(self._key(id), self._ttl_ms)
                pipe.pexpire(self._owner(owner), self._ttl_ms)
                record, *_ = await pipe.execute()
        session = None if record is None else Session.from_json(record)
        if session is None or session.owner != owner:
            raise AbsentError
        return session

    async def state(self, session: Session, number: int) -> bytes:
        with _errors():
            found: bytes | None = await self._redis.hget(self._key(session.id), f"turn:{number}")
        if found is None:
            raise AbsentError
        return found

    async def of_owner(self, owner: str) -> Sequence[Session]:
        with _errors():
            ids = list(await self._redis.smembers(self._owner(owner)))
            async with self._redis.pipeline(transaction=False) as pipe:
                for id in ids:
                    pipe.hget(self._key(id.decode()), "record")
                records = await pipe.execute()
            if expired := [id for id, record in zip(ids, records, strict=True) if not record]:
                await self._redis.srem(self._owner(owner), *expired)
        return sorted((Session.from_json(record) for record in records if record), key=lambda session: session.created)

    async def put(self, session: Session, states: Mapping[int, bytes], expected: int | None) -> None:
        key, owner = self._key(session.id), self._owner(session.owner)
        fields = {f"turn:{turn.number}" for turn in session.turns}
        with _errors():
            async with self._redis.pipeline() as pipe:
                await pipe.watch(key)
                version = await pipe.hget(key, "version")
                if version is None and expected is not None:
                    raise AbsentError
                if version is not None and int(version) != expected:
                    raise ConflictError
                dropped = [name for name in await pipe.hkeys(key) if name.startswith(b"turn:") and name.decode() not in fields]
                pipe.multi()
                pipe.hset(key, mapping={"record": session.to_json(), "version": session.version})
                for number, state in states.items():
                    pipe.hset(key, f"turn:{number}", state)
                if dropped:
                    pipe.hdel(key, *dropped)
                pipe.pexpire(key, self._ttl_ms)
                pipe.sadd(owner, session.id)
                pipe.pexpire(owner, self._ttl_ms)
                await pipe.execute()

    async def delete(self, session: Session) -> None:
        with _errors():
            async with self._redis.pipeline() as pipe:
                pipe.delete(self._key(session.id))
                pipe.srem(self._owner(session.owner), session.id)
                await pipe.execute()

    async def find(self, digests: Sequence[bytes]) -> tuple[int, bytes] | None:
        if not digests or time.monotonic() < self._paused_until:
            return None
        try:
            with _errors():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for digest in digests:
                        pipe.exists(self._prefix(digest))
                    found = await pipe.execute()
                if 1 not in found:
                    return None
                index = found.index(1)
                state: bytes | None = await self._redis.getex(self._prefix(digests[index]), px=self._ttl_ms)
        except UnavailableError:
            self._pause()
            return None
        return None if state is None else (index, state)

    async def keep(self, digest: bytes, state: bytes) -> None:
        if self._writing >= _WRITES or time.monotonic() < self._paused_until:
            return
        self._writing += 1
        try:
            with _errors():
                await self._redis.set(self._prefix(digest), state, px=self._ttl_ms)
        except (FullError, UnavailableError):
            self._pause()
        finally:
            self._writing -= 1

    async def close(self) -> None:
        await self._redis.aclose()

    def _key(self, id: str) -> str:
        return f"{self._model}:session:{id}"

    def _owner(self, owner: str) -> str:
        return f"{self._model}:owner:{owner}"

    def _prefix(self, digest: bytes) -> str:
        return f"{self._model}:prefix:{digest.hex()}"

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + _PAUSE_S


def expect_redis(url: str) -> None:
    """Check that a Redis server can be used.

    Args:
        url: address, as for `RedisStore`.
    Raises:
        InputError: the address is invalid.
        OSError: the server cannot be reached or refuses the password. The message does not contain the address, which may have one.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S) as server:
            server.ping()
    except ValueError as error:
        raise _invalid(error) from error
    except redis.RedisError as error:
        raise OSError(f"store: expected a Redis server that answers, but {' '.join(str(error).split())} Check --store.") from error


def _invalid(error: ValueError) -> InputError:
    return InputError(f"store: expected an address such as redis://localhost:6379/0, but {error} Check --store.")


@contextmanager
def _errors() -> Iterator[None]:
    """Convert the errors of redis."""
    try:
        yield
    except WatchError as error:  # also raised where the connection broke between the check of the version and the answer
        raise (UnavailableError if "Error occurred" in str(error) else ConflictError) from error
    except (TimeoutError, RedisError, OSError) as error:
        full = isinstance(error, OutOfMemoryError) or "OOM" in str(error)  # inside a transaction, the type is another one
        raise (FullError if full else UnavailableError) from error
