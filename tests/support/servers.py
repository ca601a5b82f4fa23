"""A server of a language model on a free port of this machine, in a thread of the test's own process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from openai import OpenAI

from dendrix.serve.access import LOOPBACK
from dendrix.serve.app import build_app
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from dendrix.serve.scheduler import Scheduler
from dendrix.serve.server import Server, listen
from dendrix.serve.sessions.memory import MemoryStore
from dendrix.serve.sessions.store import Store


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    server: Server
    app: FastAPI
    address: tuple[str, int]
    alive: Callable[[], bool]
    """Whether it has not ended."""

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def scheduler(self) -> Scheduler:
        scheduler: Scheduler = self.app.state.scheduler
        return scheduler

    def client(self, token: str = "none") -> OpenAI:
        """OpenAI's own client, which does not try again by itself."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=token, max_retries=0, timeout=60)


Start = Callable[..., Running]


def soon(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@contextmanager
def running(
    served: Served,
    limits: Limits,
    token: str | Sequence[str] | None = None,
    hosts: Sequence[str] = LOOPBACK,
    origins: Sequence[str] = (),
    store: Store | None = None,
) -> Iterator[Running]:
    """A server in a thread, stopped at the end; its store is in memory unless there is another one."""
    tokens = [token] if isinstance(token, str) else token or ()
    store = store or MemoryStore(limits.session_s, limits.session_bytes, limits.prefix_bytes)
    with listen("127.0.0.1", 0, limits.stall_s) as listener:
        ready, app = threading.Event(), build_app(served, limits, tokens, store, hosts, origins)
        server = Server(app, limits, ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        ready.wait(30)
        try:
            yield Running(server, app, listener.getsockname(), thread.is_alive)
        finally:
            server.stop()
            thread.join(30)
