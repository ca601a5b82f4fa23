"""Reading of request bodies within limits of size and time."""

import asyncio

from fastapi import Request

from .errors import ApiError


async def read_body(request: Request, most: int, stall_s: float) -> bytes:
    """Return the body of a request.

    Args:
        request: HTTP request.
        most: largest size in bytes.
        stall_s: seconds that the client may take to send it.
    Raises:
        ApiError: 413 if it is too long, 408 if it is not complete in time.
    """
    body = b""
    try:
        async with asyncio.timeout(stall_s):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise ApiError(413, f"body: expected at most {most} bytes, got more. Shorten the request.", code="too_long")
    except TimeoutError:
        raise ApiError(408, f"body: expected the whole body within {stall_s:g} s, got a part. Send it without pauses.") from None
    return body
