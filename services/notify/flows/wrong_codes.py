"""Somebody guesses at codes: count it, and when it locks them out have somebody else rung at once."""

from __future__ import annotations

from typing import Final

from schemas.events.base import Reason
from services.notify.flows import alerting
from services.notify.outbound import alerts, audit, codes, requests
from services.notify.outbound.codes import Code
from services.notify.work import Work

_LOCKED: Final = "code.locked"


async def count_wrong(work: Work, person_id: str) -> bool:
    """Count a wrong code; say whether this person is locked out.

    A phone that is locked out can no longer answer, so what it was asked goes to the next person now.
    """
    locked = await codes.wrong_guess(work.conn, work.municipality, person_id, work.now)
    for code in locked:
        await audit.note(
            work.conn,
            work.municipality,
            actor=person_id,
            action=_LOCKED,
            object_id=code.subject_id,
            detail={"subject_kind": code.subject_kind, "incident_id": code.incident_id},
            at=work.now,
        )
        await _ring_the_next(work, code)
    return await codes.is_locked(work.conn, work.municipality, person_id, work.now)


async def _ring_the_next(work: Work, code: Code) -> None:
    alert_id = code.subject_id
    if code.subject_kind == "request":
        request = await requests.find(work.conn, work.municipality, code.subject_id)
        alert_id = request.alert_id if request else ""
    row = await alerts.find(work.conn, work.municipality, alert_id)
    if row is not None:
        text = f"«{code.person_id}» quedó bloqueado por códigos equivocados: sigue otra persona."
        await alerting.pass_on(work, row, Reason(code=_LOCKED, text=text))
