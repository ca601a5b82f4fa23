"""A client that opens many streams of a server at once, and as little else as possible: what is measured is the server."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True)
class Reply:
    """What came of one streamed request."""

    status: int
    """Of HTTP; 0 if the connection broke before."""
    text: str = ""
    complete: bool = False
    """Whether the stream came to its proper end."""
    arrivals_s: tuple[float, ...] = ()
    """When each part of the text came, after the request was sent."""


async def ask(address: Address, body: dict[str, Any], leave_after: int | None = None) -> Reply:
    """Send one request to /v1/completions and read its stream.

    Args:
        address: of the server.
        body: of the request.
        leave_after: break the connection off after so many parts of the text.
    """
    content = json.dumps(body | {"stream": True}).encode()
    head = f"POST /v1/completions HTTP/1.0\r\nContent-Length: {len(content)}\r\n\r\n"  # 1.0: events come as they are, not in chunks
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
    except (OSError, LookupError):  # broken off by the other side
        pass
    return Reply(status, "".join(texts), False, tuple(arrivals))


def ask_at_once(address: Address, bodies: Sequence[dict[str, Any]], leave_after: int | None = None) -> list[Reply]:
    """One stream for each request, all open at the same time."""

    async def streams() -> list[Reply]:
        return await asyncio.gather(*[ask(address, body, leave_after) for body in bodies])

    return asyncio.run(streams())
