"""Error responses of the OpenAI API."""

import logging
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

COUNTED = ("/v1/completions", "/v1/chat/completions")
"""Paths whose requests are counted."""
_KINDS = {401: "authentication_error", 429: "rate_limit_error"}
_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    408: {"Connection": "close"},  # discards what the client still sends
    413: {"Connection": "close"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """A refused or failed request.

    Args:
        status: HTTP status code.
        message: expected value, actual value, and advice.
        param: invalid field of the request.
        code: machine-readable error code.
    """

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """Return the response body."""
        kind = "server_error" if self.status >= 500 else _KINDS.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def as_api_error(error: Exception) -> ApiError:
    """Convert an exception to the error that is sent to the client. Details of unexpected exceptions are logged and not sent.

    Args:
        error: any exception.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):  # raised by the framework for an unknown path or method
        return ApiError(error.status_code, f"{error.detail}.")
    if isinstance(error, RequestValidationError):  # a parameter of the address
        first = error.errors()[0]
        name = str(first["loc"][-1])
        return ApiError(422, f"{name}: {first['msg']}, got {str(first['input'])[:60]!r}.", name)
    _log.error("A request failed.", exc_info=error)
    return ApiError(500, "The server failed at this request; other requests are not affected. See the log of the server.")


async def answer_error(request: Request, error: Exception) -> Response:
    """Create the response to a failed request; status 499 if the client disconnected.

    Args:
        request: HTTP request.
        error: exception raised by its handler.
    """
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    reported = as_api_error(error)
    if request.url.path in COUNTED:
        request.app.state.metrics.requests.labels(str(reported.status)).inc()
    return JSONResponse(reported.body(), reported.status, _HEADERS.get(reported.status))
