"""Handler of requests for text: reads a request, submits a job, and returns one response or a stream of events."""

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

from .answers import ChatForm, CompletionForm, joined, turn, usage
from .body import read_body
from .echo import Echo
from .errors import as_api_error
from .job import Job, Piece
from .limits import Limits
from .metrics import Metrics
from .prepare import Served, prepare
from .request import ChatRequest, CompletionRequest, read_request
from .scheduler import Scheduler
from .sessions.service import Sessions

_log = logging.getLogger(__name__)


Asked = CompletionRequest | ChatRequest


@dataclass(frozen=True)
class Completions:
    """Handler of requests for completions and chat answers."""

    served: Served
    scheduler: Scheduler
    limits: Limits
    metrics: Metrics
    sessions: Sessions

    async def answer(self, request: Request, kind: type[CompletionRequest] | type[ChatRequest]) -> Response:
        """Answer one request.

        Args:
            request: HTTP request.
            kind: class of its body.
        Raises:
            ApiError: the request is refused.
        """
        began = time.perf_counter()
        asked: Asked = read_request(await read_body(request, self.limits), kind)
        owner = request.state.owner
        session = None if asked.session is None else await self.sessions.get(owner, asked.session)
        job = await asyncio.to_thread(prepare, asked, self.served, self.limits, session is not None and session.head.tokens > 0)
        await self.sessions.begin(job, owner, session)
        self.scheduler.submit(job)
        form = (ChatForm if isinstance(asked, ChatRequest) else CompletionForm)(self.served.name, self.served.token_bytes)
        if asked.stream:
            return _Stream(self, job, self._events(asked, job, form, began))
        try:
            pieces = await _unless_gone(request, self._collected(asked, job, began))
        finally:
            self.scheduler.leave(job)
        self.metrics.requests.labels("200").inc()
        return JSONResponse(form.whole(pieces) | {"usage": usage(job)} | turn(job))

    async def _pieces(self, asked: Asked, job: Job, began: float) -> AsyncIterator[list[Piece]]:
        """Yield the pieces of the answers, with the prompts if requested, and record the latencies."""
        echoes: list[Echo] = []
        if isinstance(asked, CompletionRequest) and asked.echo:
            echoes = await asyncio.to_thread(self._echoes, asked, job)
        first, begun = True, set[int]()
        async for pieces in job.read() if job.session is None else self.sessions.read(job):
            if first:
                self.metrics.first_seconds.observe(time.perf_counter() - began)
                first = False
            for i, piece in enumerate(pieces if echoes else ()):
                echo = echoes[piece.answer // asked.n]
                pieces[i] = echo.moved(piece) if piece.answer in begun else echo.before(echo.moved(piece))
                begun.add(piece.answer)
            yield pieces
        self.metrics.request_seconds.observe(time.perf_counter() - began)

    def _echoes(self, asked: CompletionRequest, job: Job) -> list[Echo]:
        return [Echo(prompt, given, self.served.tokenizer) for prompt, given in zip(job.prompts, asked.prompt, strict=True)]

    async def _collected(self, asked: Asked, job: Job, began: float) -> list[Piece]:
        return [piece async for pieces in self._pieces(asked, job, began) for piece in pieces]

    async def _events(self, asked: Asked, job: Job, form: CompletionForm, began: float) -> AsyncIterator[bytes]:
        """Yield server-sent events with the new text; an error after the start of the stream is an event as well."""
        counted = asked.stream_options.include_usage
        no_usage = {"usage": None} if counted else {}  # OpenAI's clients expect the field in every event then
        try:
            async for pieces in self._pieces(asked, job, began):
                for piece in joined(pieces):
                    yield _event(form.part([piece]) | no_usage | (turn(job) if piece.finish else {}))
            if counted:
                yield _event(form.part([]) | {"usage": usage(job)})
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
