"""``decision.ruled``: keep what the owner of the verb answered, for whoever asked."""

from __future__ import annotations

from schemas.events.decisions import DecisionRuled
from services.notify.outbound import decisions
from services.notify.work import Work


async def handle(work: Work, event: DecisionRuled) -> None:
    """Keep a neighbour's ruling; the first one stands."""
    await decisions.rule(
        work.conn,
        work.municipality,
        event.decision_id,
        event.ruling,
        reasons=event.reasons,
        by=event.ruled_by,
        at=event.ruled_at,
    )
