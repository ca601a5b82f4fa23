"""HTTP server with graceful shutdown: after SIGTERM or Ctrl-C, running answers are finished first."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from .connections import Gate
from .limits import Limits

_FLUSH_S = 5
"""Seconds after the last answer in which clients can read the remaining text."""

_CANCEL_S = 2
"""Seconds in which the handlers of closed connections end by the error of their connection, before they are cancelled."""

_BUFFER = 1 << 16
"""Size of the send buffer of a connection, in bytes."""

_AT_ONCE = 32
"""Connections that are accepted in one turn of the event loop."""

_TURNS = 4
"""Turns from the moment when a connection is accepted until one that made room for it is closed."""

_QUEUE = 2048
"""Connections that the system may hold until they are accepted."""

_FILES = 128
"""Open files of the process besides connections."""


class Server(uvicorn.Server):
    """Server that runs an application, `run([listener])`, until a signal or `stop`; during the shutdown, new requests get status 503.

    Args:
        app: result of `build_app`.
        limits: limits with the time for running answers to finish.
        started: function that is called when the server accepts requests.
    """

    def __init__(self, app: FastAPI, limits: Limits, started: Callable[[], None]):
        self._gate = Gate(room_for_connections(limits.connections), limits.stall_s, app.state.metrics)
        config = uvicorn.Config(
            app,
            http=self._gate.protocol,  # type: ignore[arg-type]  # called like the class of a protocol
            ws="none",
            backlog=_AT_ONCE,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_FLUSH_S + _CANCEL_S,
        )
        super().__init__(config)
        self._app, self._grace_s, self._started = app, limits.grace_s, started
        self._stop_at: float | None = None

    def stop(self) -> None:
        """Refuse new requests, and exit when the running answers are finished or the grace period is over."""
        self._stop_at = time.monotonic() + self._grace_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal and at once at the second one."""
        if self._stop_at is None:
            self.stop()
        else:
            self._stop_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_QUEUE)  # uvicorn takes one number for this and for `_AT_ONCE`
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections: idle ones immediately, the others when their clients have read the rest, or after a few seconds."""
        asyncio.get_running_loop().call_later(_FLUSH_S, self._gate.abort)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Close late connections and return whether to exit; called ten times per second."""
        self._gate.close_late()
        self._app.state.metrics.refresh()
        if self._stop_at is None:
            return await super().on_tick(counter)
        scheduler = self._app.state.scheduler
        scheduler.draining = True
        if scheduler.held and time.monotonic() < self._stop_at:
            return False
        scheduler.close()
        return True


def listen(host: str, port: int, stall_s: float) -> socket.socket:
    """Create a listening socket.

    Args:
        host, port: address; port 0 selects a free port.
        stall_s: seconds after which a connection whose client does not read is closed (Linux).
    Raises:
        OSError: the address is in use, or is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux only: closes a connection whose client does not read
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_s * 1000))
    return listener


def room_for_connections(wanted: int) -> int:
    """Raise the limit of open files of this process, usually 1,024, as far as the system permits.

    Args:
        wanted: number of connections.
    Returns:
        the number of connections for which there is room, at most `wanted`.
    """
    if sys.platform == "win32":  # without such a limit
        return wanted
    import resource

    others = _FILES + _TURNS * _AT_ONCE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + others if hard == resource.RLIM_INFINITY else min(wanted + others, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - others))
