"""Answer a phone, at most once per message and never in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.vocabulary import Channel, Purpose
from services.notify.domain import names
from services.notify.domain.render import finished, until
from services.notify.flows.outcome import Outcome
from services.notify.outbound import planned, replies, warnings
from services.notify.outbound.recipients import Known
from services.notify.texts import catalogue
from services.notify.work import Work

ASKED: Final = "asked_opt_out"
NO_INCIDENT: Final = "none"
_ASKED_WITHIN: Final = timedelta(hours=24)

# One helpful answer to words we do not know; two machines that thank each other must come to an end.
_HELP_EVERY: Final = timedelta(minutes=10)
_UNHELPED: Final = frozenset({"unknown", "without_code", "which_question", "which_task"})
_MOST_ANSWERS: Final = 8
_MOST_ANSWERS_WITHIN: Final = timedelta(minutes=15)


async def answer(work: Work, reply_id: str, known: Known, outcomes: Sequence[Outcome]) -> None:
    """Plan the reply to an answer, where it has one."""
    saying = [outcome for outcome in outcomes if outcome.text is not None]
    if not saying or await _said_enough(work, known, saying):
        return
    texts = catalogue(known.language)
    said = [texts.text(outcome.text or "").format(**outcome.parts) for outcome in saying]
    message = planned.Message(
        alert_id=names.derived("answer", work.municipality, reply_id),
        incident_id=saying[0].incident_id or NO_INCIDENT,
        recipient_id=known.recipient_id,
        purpose=Purpose.REPLY,
        channel=Channel.SMS,
        round=0,
        text=finished(" ".join(dict.fromkeys(said)), None, texts),
        language=texts.language,
        correlation_id=work.correlation_id,
    )
    await planned.plan(work.conn, work.municipality, message, work.now)


async def verified(work: Work, code: str, language: str) -> Outcome:
    """Say whether a text that somebody got is ours and still holds."""
    head = await warnings.by_verify_code(work.conn, work.municipality, code)
    if head is None or head.valid_until is None:
        return Outcome("not_verified", "reply.not_verified", {"code": code})
    ends = until(head.valid_until, work.now, work.town, catalogue(language))
    return Outcome(
        "verified", "reply.verified", {"code": code, "until": ends}, head.warning_id, head.incident_id
    )


async def was_asked(work: Work, recipient_id: str, reply_id: str) -> bool:
    """Say whether the last thing we made of this phone's answers was to ask back."""
    since = work.now - _ASKED_WITHIN
    before = await replies.outcomes_since(work.conn, work.municipality, recipient_id, since, but=reply_id)
    return bool(before) and before[0] == ASKED


async def _said_enough(work: Work, known: Known, saying: Sequence[Outcome]) -> bool:
    recent = await replies.outcomes_since(
        work.conn, work.municipality, known.recipient_id, work.now - _MOST_ANSWERS_WITHIN
    )
    if len(recent) > _MOST_ANSWERS:
        return True
    if not all(outcome.name in _UNHELPED for outcome in saying):
        return False
    lately = await replies.outcomes_since(
        work.conn, work.municipality, known.recipient_id, work.now - _HELP_EVERY
    )
    return any(outcome in _UNHELPED for outcome in lately)
