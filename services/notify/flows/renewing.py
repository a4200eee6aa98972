"""Before a warning ends: ask whether it goes on, and let it go on when nobody answers. It never lapses."""

from __future__ import annotations

from schemas.events.base import Reason
from schemas.events.warnings import WarningRequested
from schemas.municipality.duty import LevelPlan, Step, Who
from schemas.vocabulary import Channel, Purpose, WarningState
from services.notify.domain.authority import by_renewal_rule
from services.notify.domain.plan import PagePlan, protocol_for, roster_order
from services.notify.flows import asking, issuing
from services.notify.outbound import incidents, requests, warnings
from services.notify.work import Work


async def ask(work: Work, warning_id: str) -> None:
    """Ask the whole roster by SMS whether the warning goes on, with the words that would be sent."""
    head = await warnings.find(work.conn, work.municipality, warning_id)
    if head is None or head.state is not WarningState.AUTHORISED or head.in_force_version is None:
        return
    held = await incidents.find(work.conn, work.municipality, head.incident_id)
    in_force = await warnings.version_of(work.conn, work.municipality, warning_id, head.in_force_version)
    pending = await requests.pending(work.conn, work.municipality, head.incident_id, Purpose.RENEWAL)
    if held is None or in_force is None or pending is not None:
        return
    work = work.about(exercise_id=head.exercise_id, correlation_id=held.correlation_id)
    protocol = protocol_for(held.snapshot, work.town)
    level_plan = protocol.at(in_force.level)
    if protocol.warning is None or level_plan is None:
        return
    ends_at = issuing.end_after(in_force, protocol.warning, work.now)
    snapshot = await issuing.renewed(work, head, in_force, held.snapshot, ends_at)
    why = Reason(code="renewal.asked", text="El aviso está por vencer: ¿sigue o se levanta?")
    event = WarningRequested.model_validate(snapshot.model_dump() | {"reasons": [why.model_dump()]})
    await warnings.keep(
        work.conn,
        work.municipality,
        event,
        event_type=event.TYPE,
        number=head.number,
        state=head.state,
        in_force_version=head.in_force_version,
        exercise_id=head.exercise_id,
        at=work.now,
    )
    await work.publish(event, key=event.incident_id, identity=(event.warning_id, event.version))
    everybody = LevelPlan(
        level=level_plan.level,
        roster=level_plan.roster,
        steps=(Step(after_s=0, channel=Channel.SMS, who=Who.ALL),),
    )
    page = PagePlan(in_force.level, everybody, roster_order(work.town, level_plan, work.now))
    await asking.ask_renewal(work, event, held.snapshot, page)


async def apply(work: Work, warning_id: str) -> None:
    """Renew by rule at the same level: five minutes are left and nobody has answered."""
    head = await warnings.find(work.conn, work.municipality, warning_id)
    if head is None or head.state is not WarningState.AUTHORISED:
        return
    held = await incidents.find(work.conn, work.municipality, head.incident_id)
    work = work.about(exercise_id=head.exercise_id, correlation_id=held.correlation_id if held else None)
    right = by_renewal_rule(work.now)
    if right.authority is not None:
        await issuing.renew(work, head, right.authority, right.reasons)
