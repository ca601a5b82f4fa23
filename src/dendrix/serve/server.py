"""A server from its start to its end: SIGTERM or Ctrl-C lets running answers finish first."""

import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from .limits import Limits

_FLUSH_S = 5
"""Seconds for what was written to reach its readers, after the last answer."""

_BUFFER = 1 << 16
"""Bytes that the system keeps for a client that does not read."""


class Server(uvicorn.Server):
    """Serves an application on sockets, `run([listener])`, until a signal or `stop`; while answers finish, new requests get 503.

    Args:
        app: as `build_app` makes it.
        limits: says how long answers have to finish.
        started: called when requests are answered.
    """

    def __init__(self, app: FastAPI, limits: Limits, started: Callable[[], None]):
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_FLUSH_S)
        super().__init__(config)
        self._app, self._grace_s, self._started = app, limits.grace_s, started
        self._stop_at: float | None = None

    def stop(self) -> None:
        """Take on nothing new, and end when what runs is finished or the time of grace is over."""
        self._stop_at = time.monotonic() + self._grace_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal stops; a second one does not wait."""
        if self._stop_at is None:
            self.stop()
        else:
            self._stop_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if self._stop_at is None:
            return await super().on_tick(counter)
        scheduler = self._app.state.scheduler
        scheduler.draining = True
        if scheduler.held and time.monotonic() < self._stop_at:
            return False
        scheduler.close()
        return True


def listen(host: str, port: int, stall_s: float) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        OSError: the address is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: a connection whose client reads nothing ends, and with it what is kept for it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_s * 1000))
    return listener


def allow_open_files(count: int) -> None:
    """Let this process have so many files and connections open, if the system permits it; 1,024 are usual."""
    if sys.platform == "win32":  # has no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
