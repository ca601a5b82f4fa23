"""Messages of the server on stderr: a bounded number of lines, and nothing of what clients send."""

import logging
import time
import traceback
from typing import Any

_MOST = 5
"""Messages of one place in the code that are written per minute."""
_MINUTE_S = 60.0


class Sparse(logging.Filter):
    """Filter that passes a few messages of each place in the code per minute, and reports how many it left out."""

    def __init__(self) -> None:
        super().__init__()
        self._counted: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, count = self._counted.get(place, (now, 0))
        if now - began >= _MINUTE_S:
            if count > _MOST:
                record.msg = f"{record.msg} ({count - _MOST} more like this in the minute before.)"
            began, count = now, 0
        self._counted[place] = began, count + 1
        return count < _MOST


class Discreet(logging.Formatter):
    """Formatter that leaves out the messages of exceptions, and the details of asyncio: both may quote a request."""

    def formatException(self, ei: Any) -> str:  # noqa: N802
        kind, _, trace = ei
        return "".join([*traceback.format_tb(trace), kind.__qualname__])

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        if record.name == "asyncio":
            record.message = record.message.partition("\n")[0]
        return super().formatMessage(record)


def log_sparsely() -> None:
    """Write the warnings of this process on stderr through `Sparse` and `Discreet`. Handlers that exist already stay as they are."""
    handler = logging.StreamHandler()
    handler.addFilter(Sparse())
    handler.setFormatter(Discreet("%(levelname)s: %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
