"""Limits of HTTP connections: their number, and the time that a client may take to send a request."""

import time
from functools import partial
from typing import Any, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from .metrics import Metrics

Owed = Literal["request", "body"]
"""Part of a request that a client has not sent completely: its first line and headers, or its body."""


class Gate:
    """Open connections of a server, and those whose clients have an incomplete request, in the order of their waiting time.

    uvicorn limits neither: a client that sends half of a request holds its connection without limit.

    Args:
        most: number of open connections. A further one takes the place of the one that has waited longest for its client.
        patience_s: seconds that a client may take to send the headers of a request, and between two requests. The application
            limits the time of a body itself, so that it can answer.
        metrics: counts the connections that were closed.
    """

    def __init__(self, most: int, patience_s: float, metrics: Metrics):
        self._most, self._patience_s, self._metrics = most, patience_s, metrics
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, tuple[Owed, float]] = {}
        self.protocol = partial(Connection, self)
        """Creates the connections, as the option `http` of uvicorn."""

    def enter(self, connection: "Connection") -> None:
        """Admit a connection; where there are too many, close the one that has waited longest, or else this one."""
        self._open.add(connection)
        self.note(connection)
        if len(self._open) > self._most:
            self._close(next(iter(self._waiting)))

    def note(self, connection: "Connection") -> None:
        """Record what the client of a connection owes now; the time counts from the last change."""
        owed = connection.owed() if connection in self._open else None
        before, _ = self._waiting.get(connection, (None, 0.0))
        if owed != before:
            self._waiting.pop(connection, None)
            if owed is not None:
                self._waiting[connection] = owed, time.monotonic()

    def leave(self, connection: "Connection") -> None:
        """Remove a closed connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def close_late(self) -> None:
        """Close the connections whose clients have owed a request for too long."""
        latest = time.monotonic() - self._patience_s
        late = [connection for connection, (owed, since) in self._waiting.items() if owed == "request" and since < latest]
        for connection in late:
            self._close(connection)

    def abort(self) -> None:
        """Close all connections, without the rest of what their clients have not read."""
        for connection in list(self._open):
            connection.transport.abort()

    def _close(self, connection: "Connection") -> None:
        self.leave(connection)
        self._metrics.dropped.inc()
        connection.transport.close()


class Connection(H11Protocol):
    """Connection that reports to its gate what its client has to send."""

    def __init__(self, gate: Gate, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._gate = gate

    def owed(self) -> Owed | None:
        """The part of a request for which the server waits; None while it answers."""
        if self.cycle is None or self.cycle.response_complete:
            return "request"
        return "body" if self.cycle.more_body else None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._gate.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gate.leave(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._gate.note(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._gate.note(self)
