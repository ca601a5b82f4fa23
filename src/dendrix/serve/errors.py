"""Errors in the form that clients of OpenAI's interface read."""

import logging
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

_KINDS = {401: "authentication_error", 429: "rate_limit_error"}
_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    408: {"Connection": "close"},  # with what the client still sends
    413: {"Connection": "close"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what was expected, what came, and what to do.
        param: the field of the request that is wrong.
        code: a word for programs.
    """

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """What the client is told."""
        kind = "server_error" if self.status >= 500 else _KINDS.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def as_api_error(error: Exception) -> ApiError:
    """What a client may know of an error: all of ours, and of others no more than that there was one."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):  # the framework's own: no such path, no such method
        return ApiError(error.status_code, f"{error.detail}.")
    _log.error("A request failed.", exc_info=error)
    return ApiError(500, "The server failed at this request; others go on. Its log has the reason.")


async def answer_error(request: Request, error: Exception) -> Response:
    """The response to a request that fails; for a client that is gone, nobody reads it."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    told = as_api_error(error)
    if request.url.path == "/v1/completions":
        request.app.state.metrics.requests.labels(str(told.status)).inc()
    return JSONResponse(told.body(), told.status, _HEADERS.get(told.status))
