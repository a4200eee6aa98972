"""Send the words of one warning version to residents: exactly the words that were authorised, or none."""

from __future__ import annotations

from datetime import timedelta

from schemas.events.base import Reason
from schemas.events.warnings import AlertDispatched, WarningSnapshot, ZoneText, content_hash
from schemas.vocabulary import Channel, MessageState, Purpose, WarningState
from services.notify.domain import names
from services.notify.domain.audience import PUBLIC
from services.notify.domain.lanes import expires_at, lane_of
from services.notify.domain.warning import Step, may, move
from services.notify.flows import alerting, questions
from services.notify.outbound import alerts, audit, bodies, broadcasts, incidents, requests, warnings
from services.notify.outbound.alerts import Alert
from services.notify.outbound.broadcasts import Part, Source, Template
from services.notify.tables import delivery
from services.notify.work import Work

EXPAND = "expand"
REACH = "reach"
FIRST_CHUNK = 500
REACH_AFTER = timedelta(minutes=5)
_SENT = "sent"

_CHANGED = Reason(
    code="warning.content_changed",
    text="El texto guardado no es el autorizado: no sale y queda sin efecto. Se pide de nuevo.",
)
# Words that somebody changes again and again are not asked for ever: the page has said so each time.
_MOST_BROKEN = 3


async def start(work: Work, event: WarningSnapshot, purpose: Purpose, source: Source) -> str:
    """Write the first messages of a broadcast now, nearest first; the rest follows in chunks."""
    alert_id = names.alert_id(
        work.municipality, event.incident_id, purpose.value, event.warning_id, event.version
    )
    row = Alert(
        alert_id=alert_id,
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        level=event.level,
        purpose=purpose,
        state=_SENT,
        reasons=event.reasons,
        dispatched_at=work.now,
        warning_id=event.warning_id,
        warning_version=event.version,
        exercise_id=work.exercise_id,
    )
    if not await alerts.add(work.conn, work.municipality, row):
        return alert_id
    parts = [await _part(work, event, words, purpose, source, alert_id) for words in event.texts]
    await broadcasts.add(work.conn, work.municipality, parts, work.now)
    await expand(work, alert_id, FIRST_CHUNK)
    dispatched = AlertDispatched(
        alert_id=alert_id,
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        purpose=purpose,
        channel=Channel.SMS,
        recipients=event.audience.phones,
        warning_id=event.warning_id,
        reasons=event.reasons,
        dispatched_at=work.now,
    )
    await work.publish(dispatched, key=event.incident_id, identity=(alert_id,))
    if purpose is Purpose.WARNING:
        timers = work.app.timers
        due_at = work.now + REACH_AFTER
        await timers.set(work.conn, work.municipality, REACH, alert_id, "blocks", due_at)
    return alert_id


async def expand(work: Work, alert_id: str, limit: int = broadcasts.CHUNK) -> None:
    """Write the next messages of every part; come back for what is left."""
    parts = await broadcasts.left(work.conn, work.municipality, alert_id)
    if not parts:
        return
    if not await _as_authorised(work, parts[0].template):
        told = parts[0].template
        await break_off(work, told.incident_id, told.warning_id, told.version)
        return
    more = [await broadcasts.expand(work.conn, work.municipality, part, work.now, limit) for part in parts]
    if any(more):
        await work.app.timers.set(work.conn, work.municipality, EXPAND, alert_id, "chunk", work.now)


async def _part(
    work: Work, event: WarningSnapshot, words: ZoneText, purpose: Purpose, source: Source, alert_id: str
) -> Part:
    body_id = await bodies.keep(work.conn, work.municipality, words.text, words.language)
    end = expires_at(purpose, work.now, event.valid_until)
    languages = tuple(dict.fromkeys(text.language for text in event.texts))
    template = Template(
        incident_id=event.incident_id,
        warning_id=event.warning_id,
        version=event.version,
        purpose=purpose.value,
        body_id=body_id,
        lane=lane_of(purpose, event.level),
        content_hash=event.content_hash,
        expires_at=end.isoformat(),
        zones=event.zones,
        languages=languages,
        exercise_id=work.exercise_id,
        correlation_id=work.correlation_id,
    )
    return Part(alert_id, words.zone, words.language, source, template)


async def _as_authorised(work: Work, template: Template) -> bool:
    """Say whether the words as they stand in the table now still have the hash that was authorised."""
    event = await warnings.version_of(work.conn, work.municipality, template.warning_id, template.version)
    if event is None or event.authority is None:
        return False
    ids = {words: names.body_id(words.language, False, words.text) for words in event.texts}
    stored = await bodies.texts(work.conn, work.municipality, list(ids.values()))
    texts = [words.model_copy(update={"text": stored.get(ids[words], "")}) for words in event.texts]
    now_hash = content_hash(
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        zones=event.zones,
        texts=texts,
        audience_digest=event.audience.digest,
    )
    return now_hash == template.content_hash == event.content_hash


async def break_off(work: Work, incident_id: str, warning_id: str, version: int) -> None:
    """Stop everything: what would be sent is not what was authorised. A person knows at once, and is asked.

    What still waits about this warning falls too: a yes to it could not be applied.
    """
    unsent = await broadcasts.alerts_of(work.conn, work.municipality, warning_id)
    await broadcasts.stop(work.conn, work.municipality, unsent, work.now)
    mine = (delivery.c.warning_id == warning_id) & (delivery.c.version == version)
    mine &= delivery.c.purpose.in_([purpose.value for purpose in PUBLIC])
    await work.app.deliveries.take_back(work.conn, work.municipality, MessageState.WITHDRAWN, mine)
    head = await warnings.find(work.conn, work.municipality, warning_id)
    if head is not None and may(head.state, Step.BREAK):
        state: WarningState = move(head.state, Step.BREAK)
        await warnings.set_state(work.conn, work.municipality, head.warning_id, state, work.now)
    for purpose in (Purpose.WARNING, Purpose.RENEWAL):
        request = await requests.pending(work.conn, work.municipality, incident_id, purpose)
        if request is not None and request.warning_id == warning_id:
            await questions.void(work, request, _CHANGED)
    await audit.note(
        work.conn,
        work.municipality,
        actor="notify",
        action=_CHANGED.code,
        object_id=warning_id,
        detail={"version": version},
        at=work.now,
    )
    held = await incidents.find(work.conn, work.municipality, incident_id)
    if held is not None:
        await alerting.page_problem(work, held.snapshot, _CHANGED, version)
    if await audit.count_of(work.conn, work.municipality, _CHANGED.code, warning_id) <= _MOST_BROKEN:
        await questions.ask_again(work, incident_id)
