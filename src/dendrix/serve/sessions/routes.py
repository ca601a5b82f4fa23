"""HTTP routes of /v1/sessions."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ..body import read_body
from ..limits import Limits
from .record import Session
from .service import Sessions

_BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
Number = Annotated[int | None, Query(ge=0, lt=2**53)]
"""Number of a turn."""


def build_router(limits: Limits) -> APIRouter:
    """Create the routes of sessions, which use `app.state.sessions` and `request.state.owner`.

    Args:
        limits: limits of requests.
    """
    router = APIRouter(prefix="/v1/sessions")

    def form(session: Session) -> dict[str, Any]:
        turns = [{"turn": turn.number, "tokens": turn.tokens, "created": turn.created} for turn in session.turns]
        return {
            "id": session.id,
            "object": "session",
            "created": session.created,
            "parent": session.parent,
            "turn": session.head.number,
            "tokens": session.head.tokens,
            "turns": turns,
            "expires_after_s": limits.session_s,
        }

    @router.post("", status_code=201)
    async def create(request: Request) -> dict[str, Any]:
        """Create a session."""
        return form(await _sessions(request).create(request.state.owner))

    @router.get("")
    async def sessions(request: Request) -> dict[str, Any]:
        """List the sessions of this API key."""
        return {"object": "list", "data": list(map(form, await _sessions(request).of_owner(request.state.owner)))}

    @router.post("/import", status_code=201, openapi_extra={"requestBody": {"required": True} | _BINARY})
    async def import_session(request: Request) -> dict[str, Any]:
        """Create a session from an exported one."""
        service = _sessions(request)
        content = await read_body(request, replace(limits, body_bytes=service.most_bytes))
        return form(await service.create(request.state.owner, content))

    @router.get("/{id}")
    async def session(request: Request, id: str) -> dict[str, Any]:
        """Describe a session."""
        return form(await _sessions(request).get(request.state.owner, id))

    @router.delete("/{id}")
    async def delete(request: Request, id: str) -> dict[str, Any]:
        """Delete a session."""
        await _sessions(request).delete(request.state.owner, id)
        return {"id": id, "object": "session.deleted", "deleted": True}

    @router.post("/{id}/fork", status_code=201)
    async def fork(request: Request, id: str, turn: Number = None) -> dict[str, Any]:
        """Create a session with the turns of another one."""
        return form(await _sessions(request).fork(request.state.owner, id, turn))

    @router.post("/{id}/rollback")
    async def roll_back(request: Request, id: str, turn: Number = None) -> dict[str, Any]:
        """Remove the last turns of a session."""
        return form(await _sessions(request).roll_back(request.state.owner, id, turn))

    @router.get("/{id}/export", response_class=Response, responses={200: _BINARY})
    async def export(request: Request, id: str, turn: Number = None) -> Response:
        """Return the state of a session as bytes."""
        content = await _sessions(request).export(request.state.owner, id, turn)
        return Response(content, media_type="application/octet-stream")

    return router


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found
