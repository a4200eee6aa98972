"""Publish again what a topic lost: everything that is still kept, to consumers that recognise repeats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from fastapi import APIRouter, Depends, Request

from schemas.topics import BY_NAME
from services.runtime.database import Database
from services.runtime.http import Problem
from services.runtime.outbox import Outbox

log = structlog.get_logger()

AT_ONCE: Final = 2000

Again = Callable[[], Awaitable[int]]


def republish_router(
    guard: Callable[[Request], Awaitable[None]],
    db: Database,
    outbox: Outbox,
    service: str,
    others: Mapping[str, Again] | None = None,
) -> APIRouter:
    """Return ``POST /admin/v1/republish?topic=…``, for a topic that was wiped.

    ``others`` publishes topics again whose records do not stand in the outbox.
    """
    router = APIRouter(prefix="/admin/v1", dependencies=[Depends(guard)])
    beside = dict(others or {})

    @router.post("/republish", status_code=202)
    async def republish(topic: str) -> dict[str, Any]:
        known = BY_NAME.get(topic)
        if known is None or service not in {name for kind in known.types for name in kind.producers}:
            raise Problem(404, "Not ours", f"{service} publishes nothing on {topic!r}")
        count = await (beside[topic]() if topic in beside else _from_outbox(db, outbox, topic))
        log.warning("outbox.topic_republished", topic=topic, records=count)
        return {"schema": "municipio/republish/1", "topic": topic, "count": count}

    return router


async def _from_outbox(db: Database, outbox: Outbox, topic: str) -> int:
    """Hand every kept record of the topic to the relay once more; in steps, so that no lock is held long."""
    total, after = 0, 0
    async with db.reading() as conn:
        last = await outbox.last(conn)
    while True:
        async with db.transaction() as conn:
            again, after = await outbox.again(conn, topic, after, last, AT_ONCE)
            await outbox.announce(conn)
        total += again
        if not again:
            return total
