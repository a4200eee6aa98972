"""How long notify keeps what (DESIGN §5.12): words and numbers of people first to go, authority last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from schemas.vocabulary import IncidentState, WarningState
from services.notify.domain.delivery import OPEN, TERMINAL
from services.notify.settings import NotifySettings
from services.notify.tables import (
    body,
    code,
    delivery,
    door_inbox,
    expansion,
    incident,
    recipient,
    reply,
    runtime,
    warning,
)
from services.runtime.database import Database
from services.runtime.retention import ALWAYS_KEPT, Rule, outbox_rule, refused_rules, rows_of

_WORK_DONE: Final = timedelta(days=30)
_TERMINAL: Final = sorted(state.value for state in TERMINAL)
_OPEN: Final = sorted(state.value for state in OPEN)

KEPT: Final[Mapping[str, str]] = ALWAYS_KEPT | {
    "inbox": "nothing is written: incidents are recognised by version, decisions by their id",
    "incident": "incidents are kept by law",
    "warning": "warnings are kept by law",
    "warning_version": "warnings are kept by law, every text with its hash and authority",
    "authority_request": "who was asked to sign is part of the warning",
    "alert": "who was rung for what, without a number, is part of the warning",
    "ack": "who answered is part of the warning",
    "decision": "decisions are kept by law",
    "task": "what brigades were told and did is part of the incident",
    "audit": "the audit is kept by law",
}


def rules(settings: NotifySettings) -> tuple[Rule, ...]:
    """Return the periods of all other tables."""
    answers = timedelta(days=settings.answers_kept_days)
    messages = timedelta(days=settings.messages_kept_days)
    left = timedelta(days=settings.former_people_days)
    r = reply.c
    return (
        outbox_rule(runtime, settings.outbox_kept_hours),
        *refused_rules(runtime, settings.dead_letters_days),
        Rule(door_inbox.name, _WORK_DONE, rows_of(door_inbox, door_inbox.c.processed_at)),
        Rule(expansion.name, _WORK_DONE, rows_of(expansion, expansion.c.done_at)),
        Rule(code.name, _WORK_DONE, rows_of(code, code.c.expires_at)),
        Rule(
            reply.name,
            answers,
            rows_of(reply, r.received_at, only=r.text_enc != b"", wiped={"text_enc": b""}),
        ),
        Rule(reply.name, messages, rows_of(reply, r.received_at)),
        Rule(delivery.name, messages, forget_messages),
        Rule(recipient.name, left, rows_of(recipient, recipient.c.imported_at, only=_left_for_good())),
    )


async def forget_messages(db: Database, before: datetime, limit: int) -> int:
    """Forget messages whose fate is old and known, and the words that no other message carries.

    Whoever was told of what goes on stays known, however far the town's clock was moved: a correction and a
    lift are for them.
    """
    d, b = delivery.c, body.c
    is_old = (d.updated_at < before) & d.state.in_(_TERMINAL) & ~_goes_on()
    async with db.reading() as conn:
        found = await conn.execute(
            sa.select(d.municipality, d.message_id, d.body_id).where(is_old).limit(limit)
        )
        rows = [tuple(row) for row in found]
    if not rows:
        return 0
    keys = [(town, message_id) for town, message_id, _ in rows]
    words = sorted({(town, body_id) for town, _, body_id in rows})
    is_carried = sa.exists().where(d.municipality == b.municipality, d.body_id == b.body_id)
    async with db.transaction() as conn:
        these = sa.tuple_(d.municipality, d.message_id).in_(keys) & is_old
        gone = (await conn.execute(sa.delete(delivery).where(these))).rowcount
        unused = sa.tuple_(b.municipality, b.body_id).in_(words) & ~is_carried
        await conn.execute(sa.delete(body).where(unused))
    return gone


def _goes_on() -> sa.ColumnElement[bool]:
    """Say whether the incident that a message is about is open, or the warning that it carried in force."""
    d, i, w = delivery.c, incident.c, warning.c
    is_open = sa.exists().where(
        d.municipality == i.municipality,
        d.incident_id == i.incident_id,
        i.state != IncidentState.CLOSED.value,
    )
    is_in_force = sa.exists().where(
        d.municipality == w.municipality,
        d.warning_id == w.warning_id,
        w.state.in_([WarningState.REQUESTED.value, WarningState.AUTHORISED.value]),
    )
    return is_open | is_in_force


def _left_for_good() -> sa.ColumnElement[bool]:
    """Say who left the directory and waits for no message; who asked for silence stays, to be left alone."""
    d, r = delivery.c, recipient.c
    waits = sa.exists().where(
        d.municipality == r.municipality, d.recipient_id == r.recipient_id, d.state.in_(_OPEN)
    )
    return sa.and_(r.active.is_(False), r.opted_out.is_(False), ~waits)
