"""Let a warning out when nobody answered, where the town's resolution says so; else ring the next person."""

from __future__ import annotations

from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import Purpose
from services.notify.domain.authority import safe_release
from services.notify.flows import alerting, issuing
from services.notify.outbound import alerts, requests, warnings
from services.notify.outbound.requests import Request
from services.notify.work import Work


async def try_release(work: Work, request: Request, incident: IncidentSnapshot) -> bool:
    """Let the warning out by the town's resolution, or ring the next person and say why it may not go."""
    asked = await warnings.version_of(work.conn, work.municipality, request.warning_id, request.version)
    if asked is None or not request.is_pending or request.purpose is not Purpose.WARNING:
        return False
    right = safe_release(
        work.town, incident, asked.level, asked.zones, asked_at=request.opened_at, at=work.now
    )
    if right.authority is not None:
        refused = await issuing.authorise(work, request, right.authority, right.reasons, by=None)
        return not refused
    why = right.reasons[0]
    if why.code == "release.too_early" or why in request.reasons:
        return False
    await requests.add_reasons(work.conn, work.municipality, request, right.reasons)
    row = await alerts.find(work.conn, work.municipality, request.alert_id)
    if row is not None:
        await alerting.pass_on(work, row, why)
    return False
