"""End a question of authority: answered, or no longer worth asking."""

from __future__ import annotations

from typing import Final

from schemas.events.base import Reason
from schemas.vocabulary import Purpose
from services.notify.domain.warning import Step, may, move
from services.notify.flows import alerting
from services.notify.flows.wording import NOBODY
from services.notify.outbound import alerts, incidents, requests, warnings
from services.notify.outbound.alerts import Alert
from services.notify.outbound.requests import Request
from services.notify.work import Work

RELEASE: Final = "release"
REPLAN: Final = "replan"
UNANSWERED: Final = "request_ends"

# Words that nobody answered are asked afresh this often. Then the whole roster is told that nobody has
# authorised, and only who answers that, or news of the incident, has it asked again.
MOST_UNANSWERED: Final = 6
VOIDED: Final = "voided"


async def void(work: Work, request: Request, why: Reason) -> None:
    """End a request that no longer fits; its question falls away on every phone."""
    closed = await requests.close(
        work.conn,
        work.municipality,
        request.request_id,
        VOIDED,
        by=None,
        reasons=(*request.reasons, why),
        at=work.now,
    )
    if not closed:
        return
    await _forget_times(work, request)
    head = await warnings.find(work.conn, work.municipality, request.warning_id)
    if head and request.purpose is Purpose.WARNING and may(head.state, Step.VOID):
        state = move(head.state, Step.VOID)
        await warnings.set_state(work.conn, work.municipality, head.warning_id, state, work.now)
    row = await alerts.find(work.conn, work.municipality, request.alert_id)
    if row is not None:
        await alerting.close(work, row, alerting.SUPERSEDED)


async def close(work: Work, request: Request) -> None:
    """Stop ringing for a request that was answered."""
    await _forget_times(work, request)
    row = await alerts.find(work.conn, work.municipality, request.alert_id)
    if row is not None:
        await alerting.close(work, row, alerting.ANSWERED)


async def unanswered(work: Work, request_id: str) -> None:
    """Nobody answered while the words were good: they must not be approved late, so others are asked for."""
    request = await requests.find(work.conn, work.municipality, request_id)
    if request is None or not request.is_pending:
        return
    text = "Nadie respondió mientras el texto era válido: queda sin efecto y se pide de nuevo."
    why = Reason(code="request.unanswered", text=text)
    await void(work, request, why)
    asked = await requests.count_voided(work.conn, work.municipality, request.incident_id, why)
    if asked < MOST_UNANSWERED:
        await ask_again(work, request.incident_id)
        return
    held = await incidents.find(work.conn, work.municipality, request.incident_id)
    if held is not None:
        await alerting.page_everybody(work, held.snapshot, _nobody(asked), asked)


def _nobody(asked: int) -> Reason:
    text = f"se pidió autorizarlo {asked} veces y nadie respondió. A quien responda OK se le pregunta ya."
    return Reason(code=NOBODY, text=text)


async def on_acknowledged(work: Work, row: Alert, person_id: str) -> None:
    """Somebody is awake who was told that nobody authorised: they are asked at once."""
    if any(reason.code == NOBODY for reason in row.reasons):
        await ask_again(work, row.incident_id, person_id)


async def _forget_times(work: Work, request: Request) -> None:
    for kind in (RELEASE, UNANSWERED):
        await work.app.timers.cancel(work.conn, work.municipality, kind, request.request_id)


async def ask_again(work: Work, incident_id: str, awake: str = "") -> None:
    """Have the incident planned afresh at once, in a transaction of its own; ``awake`` is asked first."""
    step = awake or "ask"
    await work.app.timers.set(work.conn, work.municipality, REPLAN, incident_id, step, work.now)
