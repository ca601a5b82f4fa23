"""Reading of request bodies within limits of size and time."""

import asyncio

from fastapi import Request

from .errors import ApiError
from .limits import Limits


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the body of a request.

    Args:
        request: HTTP request.
        limits: limits of requests.
    Raises:
        ApiError: 408 if the body does not come in time, 413 if it is too long.
    """
    body = b""
    try:
        async with asyncio.timeout(limits.stall_s):
            async for part in request.stream():
                body += part
                if len(body) > limits.body_bytes:
                    raise ApiError(
                        413, f"body: expected at most {limits.body_bytes} bytes, got more. Shorten the request.", code="too_long"
                    )
    except TimeoutError:
        raise ApiError(408, f"body: expected the whole body within {limits.stall_s:g} s, got a part. Send it without pauses.") from None
    return body
