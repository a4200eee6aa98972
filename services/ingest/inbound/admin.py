"""``/admin/v1``: keys, dead letters and sources, for people with the administrator's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from schemas.events.base import on_one_line
from services.ingest.domain.keys import ApiKey, digest_of, new_key
from services.ingest.domain.sensors import Catalogue, Scope
from services.ingest.outbound import keys, sources
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetter, DeadLetters
from services.runtime.http import Problem, RowCursor, body_limited

BODY_BYTES_MOST = 64 * 1024
Pattern = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(on_one_line)]
B = TypeVar("B", bound=BaseModel)


class NewKey(BaseModel):
    """A key to make.

    Attributes:
        sensors: Shell patterns over sensor ids.
        network: Instead of patterns, or beside them: every sensor of this network.
        reports: It may hand over what people report. Such a key speaks for no sensor, unless it says so.
        may_sign: Whether requests may be signed with it in place of sending it.
    """

    model_config = ConfigDict(extra="forbid")

    municipality: str
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(on_one_line)]
    sensors: Annotated[list[Pattern], Field(max_length=100)] | None = None
    network: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(on_one_line)] | None = None
    reports: bool = False
    may_sign: bool = False
    expires_at: AwareDatetime | None = None

    @property
    def scope(self) -> Scope:
        every = [] if self.network or self.reports else ["*"]
        return Scope(tuple(every if self.sensors is None else self.sensors), self.network, self.reports)


def admin_router(
    guard: Callable[[Request], Awaitable[None]],
    db: Database,
    catalogue: Catalogue,
    dead_letters: DeadLetters,
    wall: Callable[[], datetime],
    forget_keys: Callable[[], None],
) -> APIRouter:
    """Return the routes by which people look after keys, dead letters and sources."""
    router = APIRouter(prefix="/admin/v1", dependencies=[Depends(guard)])

    @router.post("/keys")
    async def create_key(request: Request) -> JSONResponse:
        asked = await _read(request, NewKey)
        if not catalogue.serves(asked.municipality):
            raise Problem(422, "Unknown municipality", errors=[_error("municipality", "is not served here")])
        name, text = new_key(asked.municipality)
        key = ApiKey(name, digest_of(text), asked.scope, asked.name, asked.may_sign, wall(), asked.expires_at)
        async with db.transaction() as conn:
            await keys.add(conn, asked.municipality, key)
        return JSONResponse({"schema": "municipio/key/1", "key": text, **_shown(key)}, 201)

    @router.get("/keys")
    async def list_keys(municipality: str) -> dict[str, Any]:
        async with db.reading() as conn:
            found = await keys.of_town(conn, municipality)
        return {"schema": "municipio/keys/1", "items": [_shown(key) for key in found], "next": None}

    @router.delete("/keys/{key_id}")
    async def revoke_key(key_id: str, municipality: str) -> dict[str, Any]:
        async with db.transaction() as conn:
            if not await keys.revoke(conn, municipality, key_id, wall()):
                raise Problem(404, "No such key", f"{municipality} has no key {key_id}")
            key = await keys.find(conn, municipality, key_id)
        forget_keys()
        return {"schema": "municipio/key/1", **(_shown(key) if key else {})}

    @router.get("/dead-letters")
    async def list_dead_letters(
        cursor: RowCursor = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        async with db.reading() as conn:
            found = await dead_letters.list(conn, after=cursor, limit=limit)
        following = found[-1].id if len(found) >= limit else None
        return {
            "schema": "municipio/dead-letters/1",
            "items": [_letter(each) for each in found],
            "next": following,
        }

    @router.delete("/dead-letters/{letter_id}")
    async def discard_dead_letter(letter_id: Annotated[int, Path(ge=0, le=2**63 - 1)]) -> dict[str, Any]:
        async with db.transaction() as conn:
            if not await dead_letters.settle(conn, letter_id, "discarded"):
                raise Problem(404, "No such dead letter", "it does not exist or is settled already")
        return {"schema": "municipio/dead-letter/1", "id": letter_id, "state": "discarded"}

    @router.delete("/muted")
    async def unmute(municipality: str, source: str) -> dict[str, Any]:
        async with db.transaction() as conn:
            if not await sources.unmute(conn, municipality, source):
                raise Problem(404, "No such source", "nothing bad is known of it")
        return {
            "schema": "municipio/source/1",
            "municipality": municipality,
            "source": source,
            "muted_at": None,
        }

    return router


async def _read(request: Request, kind: type[B]) -> B:
    body = await body_limited(request, BODY_BYTES_MOST)
    try:
        return kind.model_validate_json(body)
    except ValidationError as err:
        found = err.errors(include_url=False, include_context=False, include_input=False)
        if any(each["type"] == "json_invalid" for each in found):
            raise Problem(400, "Not JSON", "the body cannot be parsed") from err
        errors = [_error("/".join(map(str, each["loc"])), each["msg"]) for each in found[:100]]
        raise Problem(422, "Not understood", errors=errors) from err


def _error(pointer: str, detail: str) -> dict[str, str]:
    return {"pointer": f"#/{pointer}", "detail": detail}


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "municipality": key.name.municipality,
        "key_id": key.name.key_id,
        "name": key.label,
        "sensors": list(key.scope.patterns),
        "network": key.scope.network,
        "reports": key.scope.reports,
        "may_sign": key.may_sign,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _letter(each: DeadLetter) -> dict[str, Any]:
    return {
        "id": each.id,
        "municipality": each.municipality,
        "topic": each.topic,
        "partition": each.partition,
        "offset": each.offset,
        "reason": each.reason,
        "detail": each.detail,
        "bytes": each.value_bytes,
        "at": each.at.isoformat(),
        "state": each.state,
    }
