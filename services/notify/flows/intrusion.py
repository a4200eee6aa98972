"""Somebody tried to speak with an authority that is not theirs: write it down and tell a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, Purpose
from services.notify.domain import names
from services.notify.domain.plan import roster_order
from services.notify.domain.render import finished
from services.notify.flows.sayings import NO_INCIDENT
from services.notify.outbound import audit, planned
from services.runtime.errors import Refused
from services.runtime.records import Record

if TYPE_CHECKING:
    from services.notify.app import App

_ATTEMPT: Final = "authority.refused"

# An attacker may write as many records as they like; they must not ring a phone as often.
_PAGE_EVERY: Final = timedelta(hours=1)


async def note(
    app: App, conn: AsyncConnection, municipality: str, record: Record, refused: Refused, at: datetime
) -> None:
    """Audit an unsigned or forged record, and page who is on duty, at most once an hour per town.

    One that names no town we know may be meant for any: every town's person on duty is paged.
    """
    recent = await audit.count_since(conn, municipality, _ATTEMPT, at - _PAGE_EVERY)
    await audit.note(
        conn,
        municipality,
        actor="unknown",
        action=_ATTEMPT,
        object_id=f"{record.topic}/{record.partition}/{record.offset}",
        detail={"reason": refused.reason, "detail": refused.detail},
        at=at,
    )
    if recent == 0:
        for town in [municipality] if municipality in app.towns else sorted(app.towns):
            await _page(app, conn, town, record, at)


async def _page(app: App, conn: AsyncConnection, municipality: str, record: Record, at: datetime) -> None:
    work = app.work(conn, municipality)
    level_plan = max(
        (row for protocol in work.town.protocols.protocols for row in protocol.levels),
        key=lambda row: row.level,
    )
    person_id = roster_order(work.town, level_plan, at)[0]
    catalogue = work.catalogue_of(person_id)
    text = catalogue.text("page.intrusion").format(town=work.town.town.name, topic=record.topic)
    message = planned.Message(
        alert_id=names.derived("intrusion", municipality, record.topic, record.partition, record.offset),
        incident_id=NO_INCIDENT,
        recipient_id=person_id,
        purpose=Purpose.PAGE,
        channel=Channel.SMS,
        round=0,
        text=finished(text, None, catalogue),
        language=catalogue.language,
    )
    await planned.plan(conn, municipality, message, at)
