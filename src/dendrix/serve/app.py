"""HTTP application: the OpenAI completions API, a health check and metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .access import LOOPBACK, AllowedHosts, admits
from .completions import Completions
from .errors import ApiError, answer_error
from .limits import Limits
from .metrics import Metrics
from .prepare import Served
from .request import request_schema
from .scheduler import Scheduler


def build_app(served: Served, limits: Limits, token: str | None, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """Create the application; `app.state.scheduler` exists while it runs.

    Args:
        served: the language model.
        limits: limits of requests.
        token: token that clients must send; None admits all clients.
        hosts: host names by which clients may ask for the server, a result of `allowed_hosts`.
    """
    metrics, created = Metrics(), int(time.time())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.scheduler = Scheduler(served.decoder, limits, metrics, asyncio.get_running_loop())
        app.state.completions = Completions(served, app.state.scheduler, limits, metrics)
        yield
        app.state.scheduler.close()

    async def authorised(request: Request) -> None:
        if not admits(token, request.headers.get("Authorization")):
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

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.state.metrics = metrics
    app.add_middleware(AllowedHosts, hosts=hosts)
    for kind in (ApiError, HTTPException, ClientDisconnect, Exception):
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
