"""HTTP application: the OpenAI APIs for completions and chat, sessions, tokenization, a health check, metrics and pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from .access import LOOPBACK, AllowedHosts, owner_of
from .completions import Completions
from .errors import ApiError, answer_error
from .limits import Limits
from .metrics import Metrics
from .pages import reference_page, start_page
from .prepare import Served
from .request import ChatRequest, CompletionRequest, DetokenizeRequest, TokenizeRequest, body_schema
from .scheduler import Scheduler
from .sessions.routes import build_router
from .sessions.service import Sessions
from .sessions.store import Store
from .tokenization import Tokenization


def build_app(
    served: Served, limits: Limits, tokens: Sequence[str], store: Store, hosts: Sequence[str] = LOOPBACK, origins: Sequence[str] = ()
) -> FastAPI:
    """Create the application; `app.state.scheduler` exists while it runs.

    Args:
        served: the language model.
        limits: limits of requests.
        tokens: tokens of which clients must send one; none admits all clients.
        store: states of sessions and prefixes.
        hosts: host names by which clients may ask for the server, a result of `allowed_hosts`.
        origins: origins of web pages that may use the server, a result of `allowed_origins`.
    """
    metrics, created, release = Metrics(), int(time.time()), metadata.version("dendrix")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.sessions = sessions = Sessions(served, limits, metrics, store)
        app.state.scheduler = Scheduler(served.decoder, limits, metrics, asyncio.get_running_loop(), sessions.keep)
        app.state.completions = Completions(served, app.state.scheduler, limits, metrics, sessions)
        yield
        app.state.scheduler.close()
        await sessions.close()

    async def authorised(request: Request) -> None:
        request.state.owner = owner_of(tokens, request.headers.get("Authorization"))
        if request.state.owner is None:
            raise ApiError(
                401,
                "Authorization: expected 'Bearer' and the token of this server. Ask its operator for the token.",
                code="invalid_api_key",
            )

    api = APIRouter(dependencies=[Depends(authorised)])
    about = {"id": served.name, "object": "model", "created": created, "owned_by": "dendrix", "max_model_len": limits.prompt_tokens}
    tokenization = Tokenization(served, limits)

    # Bodies are read and checked by the handlers, with limits, and only described here.
    @api.post("/v1/completions", openapi_extra={"requestBody": body_schema(CompletionRequest)})
    async def completions(request: Request) -> Response:
        """Continue texts."""
        answering: Completions = request.app.state.completions
        return await answering.answer(request, CompletionRequest)

    @api.post("/v1/chat/completions", openapi_extra={"requestBody": body_schema(ChatRequest)})
    async def chat_completions(request: Request) -> Response:
        """Answer the last message of a conversation."""
        answering: Completions = request.app.state.completions
        return await answering.answer(request, ChatRequest)

    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        """List the model."""
        return {"object": "list", "data": [about]}

    @api.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        """Describe the model."""
        served.expect_name(name)
        return about

    @api.post("/tokenize", openapi_extra={"requestBody": body_schema(TokenizeRequest)})
    async def tokenize(request: Request) -> dict[str, Any]:
        """Return the tokens of a text or a conversation."""
        return await tokenization.tokenize(request)

    @api.post("/detokenize", openapi_extra={"requestBody": body_schema(DetokenizeRequest)})
    async def detokenize(request: Request) -> dict[str, str]:
        """Return the text of tokens."""
        return await tokenization.detokenize(request)

    @api.get("/tokenizer_info")
    async def tokenizer_info() -> dict[str, Any]:
        """Return the special tokens and the chat template."""
        return tokenization.about()

    api.include_router(build_router(limits))
    app = FastAPI(title="dendrix serve", version=release, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.metrics = metrics
    app.add_middleware(_HeadAsGet)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST", "DELETE"], allow_headers=["*"])
    app.add_middleware(AllowedHosts, hosts=hosts, origins=origins)
    for kind in (ApiError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, answer_error)
    app.include_router(api)

    @app.get("/health")
    @app.get("/healthz", include_in_schema=False)
    async def health(request: Request) -> Response:
        """Return 200, or 503 during shutdown."""
        healthy = request.app.state.scheduler.healthy
        return JSONResponse({"status": "ok" if healthy else "stopping"}, 200 if healthy else 503)

    @app.get("/version")
    async def version() -> dict[str, str]:
        """Return the version of dendrix."""
        return {"version": release}

    @app.get("/metrics")
    async def page() -> Response:
        """Return the metrics in the text format of Prometheus."""
        return Response(metrics.page(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        return HTMLResponse(start_page(None if tokens else served.name, str(request.base_url), app.openapi()))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(reference_page(app.openapi()))

    return app


class _HeadAsGet:
    """ASGI middleware that answers HEAD like GET; the HTTP server leaves out the body."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
