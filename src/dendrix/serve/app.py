"""HTTP application: the OpenAI completions API, sessions, a health check and metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .access import LOOPBACK, AllowedHosts, owner_of
from .completions import Completions
from .errors import ApiError, answer_error
from .limits import Limits
from .metrics import Metrics
from .prepare import Served
from .request import request_schema
from .scheduler import Scheduler
from .sessions.routes import build_router
from .sessions.service import Sessions
from .sessions.store import Store


def build_app(served: Served, limits: Limits, tokens: Sequence[str], store: Store, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """Create the application; `app.state.scheduler` exists while it runs.

    Args:
        served: the language model.
        limits: limits of requests.
        tokens: tokens of which clients must send one; none admits all clients.
        store: states of sessions and prefixes.
        hosts: host names by which clients may ask for the server, a result of `allowed_hosts`.
    """
    metrics, created = Metrics(), int(time.time())

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

    api = APIRouter(prefix="/v1", dependencies=[Depends(authorised)])
    about = {"id": served.name, "object": "model", "created": created, "owned_by": "dendrix"}

    # The body is read and checked by `Completions`, with limits, and only described here.
    @api.post("/completions", openapi_extra={"requestBody": request_schema()})
    async def completions(request: Request) -> Response:
        answering: Completions = request.app.state.completions
        return await answering.answer(request)

    @api.get("/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [about]}

    @api.get("/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        if name != served.name:
            raise ApiError(404, f"model: expected '{served.name}', got '{name}'.", "model", "model_not_found")
        return about

    api.include_router(build_router(limits.stall_s, limits.session_s))
    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.state.metrics = metrics
    app.add_middleware(AllowedHosts, hosts=hosts)
    for kind in (ApiError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, answer_error)
    app.include_router(api)

    @app.get("/healthz")
    async def healthz(request: Request) -> Response:
        healthy = request.app.state.scheduler.healthy
        return JSONResponse({"status": "ok" if healthy else "stopping"}, 200 if healthy else 503)

    @app.get("/metrics")
    async def page() -> Response:
        return Response(metrics.page(), media_type="text/plain; version=0.0.4")

    return app
