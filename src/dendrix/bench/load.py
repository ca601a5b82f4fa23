"""Client that opens many concurrent streams of a server, with little overhead of its own."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True)
class Reply:
    """Result of one streamed request."""

    status: int
    """HTTP status; 0 if the connection broke before it arrived."""
    text: str = ""
    complete: bool = False
    """Whether the stream ended regularly."""
    arrivals_s: tuple[float, ...] = ()
    """Arrival time of each part of the text, after the request was sent."""


async def ask(address: Address, body: dict[str, Any], leave_after: int | None = None) -> Reply:
    """Send one request to /v1/completions and read its stream.

    Args:
        address: address of the server.
        body: JSON body of the request.
        leave_after: number of parts of the text after which the client disconnects; None reads to the end.
    """
    content = json.dumps(body | {"stream": True}).encode()
    # HTTP 1.0, so that events are not wrapped in chunks.
    head = f"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
    began, status, texts, arrivals = time.perf_counter(), 0, list[str](), list[float]()
    try:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(head.encode() + content)
            status = int((await reader.readline()).split()[1])
            while line := await reader.readline():
                if line == b"data: [DONE]\n":
                    return Reply(status, "".join(texts), True, tuple(arrivals))
                if status == 200 and line.startswith(b"data: "):
                    texts.append(json.loads(line[6:])["choices"][0]["text"])
                    arrivals.append(time.perf_counter() - began)
                if leave_after is not None and len(texts) >= leave_after:
                    break
        finally:
            writer.close()
    except (OSError, LookupError):  # disconnected by the server
        pass
    return Reply(status, "".join(texts), False, tuple(arrivals))


def ask_at_once(address: Address, bodies: Sequence[dict[str, Any]], leave_after: int | None = None) -> list[Reply]:
    """Send all requests at the same time, each in its own stream."""

    async def streams() -> list[Reply]:
        return await asyncio.gather(*[ask(address, body, leave_after) for body in bodies])

    return asyncio.run(streams())
