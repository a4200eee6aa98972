"""``coordinator.decided``: by what right? Then apply what is ours, and answer ``decision.ruled``."""

from __future__ import annotations

from schemas.events.decisions import CoordinatorDecided
from services.notify.flows import deciding
from services.notify.outbound import operator_keys
from services.notify.work import Work


async def handle(work: Work, event: CoordinatorDecided) -> None:
    """Act on a decision; our own come back here and are known already.

    Raises:
        Unsigned, Forged: The operator's own signature is absent or does not hold.
    """
    if event.via not in operator_keys.VOUCHED:
        operator_keys.check(event, work.town)
    await deciding.receive(work, event, publish=False)
