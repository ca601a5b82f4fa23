"""Handler of POST /v1/completions: reads a request, submits a job, and returns one response or a stream of events."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from .answers import Form, joined, usage
from .body import read_body
from .errors import as_api_error
from .job import Job, Piece
from .limits import Limits
from .metrics import Metrics
from .prepare import Served, prepare, text_of
from .request import CompletionRequest, read_request
from .scheduler import Scheduler
from .sessions.service import Sessions

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Completions:
    """Handler of completion requests."""

    served: Served
    scheduler: Scheduler
    limits: Limits
    metrics: Metrics
    sessions: Sessions

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Args:
            request: HTTP request.
        Raises:
            ApiError: the request is refused.
        """
        began = time.perf_counter()
        asked = read_request(await read_body(request, self.limits.body_bytes, self.limits.stall_s))
        job = await asyncio.to_thread(prepare, asked, self.served, self.limits)
        await self.sessions.begin(job, request.state.owner, asked.session)
        self.scheduler.submit(job)
        form = Form(self.served.name)
        if asked.stream:
            return _Stream(self, job, self._events(asked, job, form, began))
        try:
            pieces = await _unless_gone(request, self._collected(asked, job, began))
        finally:
            self.scheduler.leave(job)
        self.metrics.requests.labels("200").inc()
        return JSONResponse(form.body(joined(pieces)) | usage(job))

    async def _pieces(self, asked: CompletionRequest, job: Job, began: float) -> AsyncIterator[list[Piece]]:
        """Yield the pieces of the answers, with the prompts if requested, and record the latencies."""
        if asked.echo:
            texts = [text_of(prompt, self.served.tokenizer) for prompt in asked.prompt]
            yield [Piece(index, texts[index // asked.n]) for index in range(len(texts) * asked.n)]
        first = True
        async for pieces in self.sessions.read(job):
            if first:
                self.metrics.first_seconds.observe(time.perf_counter() - began)
                first = False
            yield pieces
        self.metrics.request_seconds.observe(time.perf_counter() - began)

    async def _collected(self, asked: CompletionRequest, job: Job, began: float) -> list[Piece]:
        return [piece async for pieces in self._pieces(asked, job, began) for piece in pieces]

    async def _events(self, asked: CompletionRequest, job: Job, form: Form, began: float) -> AsyncIterator[bytes]:
        """Yield server-sent events with the new text; an error after the start of the stream is an event as well."""
        try:
            async for pieces in self._pieces(asked, job, began):
                for piece in joined(pieces):
                    yield _event(form.body([piece]))
            if asked.stream_options.include_usage:
                yield _event(form.body([]) | usage(job))
            yield b"data: [DONE]\n\n"
            self.metrics.requests.labels("200").inc()
        except Exception as error:
            yield _event(as_api_error(error).body())


def _event(content: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(content).encode()


async def _unless_gone(request: Request, work: Coroutine[Any, Any, list[Piece]]) -> list[Piece]:
    """Return the result of `work`, unless the client disconnects first.

    Raises:
        ClientDisconnect: the client disconnected; the work is cancelled.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Stream(EventSourceResponse):
    """Event stream that releases its job when the client disconnects or does not read for too long."""

    def __init__(self, completions: Completions, job: Job, events: AsyncIterator[bytes]):
        super().__init__(events, sep="\n", send_timeout=completions.limits.stall_s)
        self._scheduler, self._job = completions.scheduler, job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("A client did not read for too long.")
        finally:
            self._scheduler.leave(self._job)
