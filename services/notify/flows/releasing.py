"""Let a warning out when nobody answered, where the town's resolution says so; else ring the next person."""

from __future__ import annotations

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import Purpose
from services.notify.domain.authority import safe_release
from services.notify.flows import alerting, issuing
from services.notify.outbound import alerts, requests, warnings
from services.notify.outbound.requests import Request
from services.notify.work import Work


async def at_its_time(work: Work, request: Request, incident: IncidentSnapshot) -> None:
    """Nobody signed in time: let the warning out, or ring the next person and say why it may not go."""
    why = await try_release(work, request, incident)
    if why is None or why in request.reasons:
        return
    await requests.add_reasons(work.conn, work.municipality, request, (why,))
    row = await alerts.find(work.conn, work.municipality, request.alert_id)
    if row is not None:
        await alerting.pass_on(work, row, why)


async def try_release(work: Work, request: Request, incident: IncidentSnapshot) -> Reason | None:
    """Let the warning out by the town's resolution, if it may go now; return why it may not.

    News of the incident alone wake nobody: before its time comes, who was asked still has the word.
    """
    asked = await warnings.version_of(work.conn, work.municipality, request.warning_id, request.version)
    if asked is None or not request.is_pending or request.purpose is not Purpose.WARNING:
        return None
    right = safe_release(
        work.town, incident, asked.level, asked.zones, asked_at=request.opened_at, at=work.now
    )
    if right.authority is None:
        return None if right.reasons[0].code == "release.too_early" else right.reasons[0]
    await issuing.authorise(work, request, right.authority, right.reasons, by=None)
    return None
