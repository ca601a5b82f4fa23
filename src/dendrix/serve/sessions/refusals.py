"""Responses to requests whose session cannot be used."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ApiError
from .store import AbsentError, ConflictError, FullError, UnavailableError

_log = logging.getLogger(__name__)


def conflict(id: str) -> ApiError:
    """Return the error of a request that is not the only one that changes a session.

    Args:
        id: id of the session.
    """
    return _error(
        409, f"another request changes '{id}' at the same time, and this one has changed nothing. Try again after it.", "conflict"
    )


@contextmanager
def refusing(id: str) -> Iterator[None]:
    """Convert the errors of a store to those that are sent to the client.

    Args:
        id: id of the session.
    Raises:
        ApiError: 404, 409, 429 or 503.
    """
    try:
        yield
    except AbsentError as error:
        problem = f"expected a session of this API key, got '{id[:80]}'. It was deleted, has expired or never existed."
        raise _error(404, problem, "session_not_found") from error
    except ConflictError as error:
        raise conflict(id) from error
    except FullError as error:
        raise _error(
            429, "the memory for sessions is full; nothing has changed. Delete sessions that are not needed.", "store_full"
        ) from error
    except UnavailableError as error:
        _log.warning("The store of sessions cannot be reached.")
        problem = "the store cannot be reached; a change may or may not have been kept. Try again later, and look at the turns first."
        raise _error(503, problem, "store_unavailable") from error


def _error(status: int, problem: str, code: str) -> ApiError:
    return ApiError(status, f"session: {problem}", "session", code)
