"""Find the words of one ring: which question, about which warning, with which code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import Channel, Purpose
from services.notify.domain import compose
from services.notify.domain.authority import release_for
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.escalation import Ring
from services.notify.outbound import codes, incidents, link_token, requests, warnings
from services.notify.outbound.alerts import Alert
from services.notify.outbound.link_token import Link
from services.notify.work import Work

CODE_LIFE = timedelta(hours=12)
NOBODY = "authority.nobody"
_STOPS_WORDS = ("lint.", "plan.mixed_message", "warning.content_changed", NOBODY)
_IS_WRONG = ("message.",)


async def of_ring(work: Work, row: Alert, ring: Ring, why: Sequence[Reason]) -> tuple[str, str] | None:
    """Return text and language for this person, or ``None`` when what it was about is gone."""
    if ring.person_id not in work.town.person_of:
        return None
    held = await incidents.find(work.conn, work.municipality, row.incident_id)
    if held is None:
        return None
    catalogue = work.catalogue_of(ring.person_id)
    subject = ("request", row.request_id) if row.request_id else ("alert", row.alert_id)
    code = await codes.give(
        work.conn,
        work.municipality,
        work.app.cipher.code_key,
        subject,
        ring.person_id,
        incident_id=row.incident_id,
        at=work.now,
        expires_at=work.now + CODE_LIFE,
    )
    text = await _text(work, row, held.snapshot, code, catalogue, ring.channel)
    text = compose.with_reasons(text, why, catalogue)

    def on_the_channel(words: str) -> str:
        return compose.for_channel(
            words,
            ring.channel,
            code=code,
            asks=row.request_id is not None,
            exercise_id=row.exercise_id,
            catalogue=catalogue,
        )

    said = on_the_channel(text)
    url = _link(work, row, ring, catalogue)
    if url is not None and compose.has_room(said, linked := on_the_channel(f"{text} {url}"), row.purpose):
        said = linked
    return said, catalogue.language


def _link(work: Work, row: Alert, ring: Ring, catalogue: Catalogue) -> str | None:
    """Return the address by which this person may answer too; a call has none."""
    settings = work.app.settings
    if ring.channel is not Channel.SMS or not settings.tokens or not link_token.may_carry(row.purpose):
        return None
    link = Link(
        municipality=work.municipality,
        person_id=ring.person_id,
        alert_id=row.alert_id,
        purpose=row.purpose,
        language=catalogue.language,
        expires_at=work.now + CODE_LIFE,
    )
    return f"{settings.public_url}{link_token.PATH}{link_token.sign(link, settings.tokens[0])}"


async def _text(
    work: Work, row: Alert, incident: IncidentSnapshot, code: str, catalogue: Catalogue, channel: Channel
) -> str:
    if row.request_id is None:
        stopped = [reason for reason in row.reasons if reason.code.startswith(_STOPS_WORDS)]
        wrong = [reason for reason in row.reasons if reason.code.startswith(_IS_WRONG)]
        text = compose.page(work.town, incident, code, catalogue, stopped, channel=channel)
        return compose.with_reasons(text, wrong, catalogue)
    asked = await requests.find(work.conn, work.municipality, row.request_id)
    if asked is None:
        return compose.page(work.town, incident, code, catalogue, channel=channel)
    snapshot = await warnings.version_of(work.conn, work.municipality, asked.warning_id, asked.version)
    if snapshot is None:
        return compose.page(work.town, incident, code, catalogue, channel=channel)
    if asked.purpose is Purpose.RENEWAL:
        head = await warnings.find(work.conn, work.municipality, asked.warning_id)
        ends_at = head.valid_until if head and head.valid_until else snapshot.valid_until
        return compose.renewal_question(
            work.town,
            incident,
            ends_at,
            snapshot.valid_until,
            work.now,
            code=code,
            catalogue=catalogue,
        )
    release = release_for(work.town, incident, snapshot.level, snapshot.zones, work.now)
    return compose.question(
        work.town,
        incident,
        snapshot,
        code=code,
        release=release,
        waited_s=(work.now - asked.opened_at).total_seconds(),
        catalogue=catalogue,
        channel=channel,
    )
