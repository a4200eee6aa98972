"""What crews and coordinators read about tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.tasks import TaskSnapshot
from schemas.vocabulary import Channel, Purpose, TaskKind
from services.notify.domain import compose, crews, names
from services.notify.domain.plan import protocol_for, roster_order
from services.notify.domain.render import finished, stamped
from services.notify.outbound import alerts, codes, incidents, planned, recipients
from services.notify.outbound.alerts import Alert
from services.notify.work import Work

TASK: Final = "task"
_CODE_LIFE: Final = timedelta(days=30)
"""Longer than any task: a code ends with what it is about."""
_SENT: Final = "sent"


def alert_of(work: Work, task: TaskSnapshot, crew: str | None) -> str:
    """Return the alert under which a crew is told of a task."""
    return names.alert_id(work.municipality, task.incident_id, TASK, task.task_id, crew)


async def ask(work: Work, task: TaskSnapshot, incident: IncidentSnapshot) -> None:
    """Ask the crew whether it goes, each of its phones with a code of its own."""
    # The title of a block to be reached names its place already; the incident may have more zones.
    place = "" if task.kind is TaskKind.REACH_BLOCK else compose.place(incident, work.town)
    what = f"{task.title}. {place}" if place else task.title
    await tell(work, task, "task.text", {"what": what}, incident=incident)


async def tell(
    work: Work,
    task: TaskSnapshot,
    text: str,
    parts: Mapping[str, object],
    *,
    incident: IncidentSnapshot | None = None,
    purpose: Purpose = Purpose.TASK,
    channel: Channel = Channel.SMS,
    round_: int | None = None,
) -> int:
    """Write one message to every phone of the crew that has the task; return to how many.

    A text of the catalogue that holds ``{code}`` gives or repeats each phone's code. Each version of a task
    is a round of its own.
    """
    alert_id = alert_of(work, task, task.assignee_id)
    row = await _alert(work, task.incident_id, alert_id, purpose, task.reasons, incident)
    people = await recipients.team(work.conn, work.municipality, task.assignee_id or "")
    for person_id in people if row else ():
        catalogue = work.catalogue_of(person_id)
        template = catalogue.text(text)
        code = await _code(work, task, person_id) if "{code}" in template else ""
        said = template.format(town=work.town.town.name, code=code, **parts)
        spoken = channel is Channel.VOICE
        make = stamped if spoken else finished
        message = planned.Message(
            alert_id=alert_id,
            incident_id=task.incident_id,
            recipient_id=person_id,
            purpose=purpose,
            channel=channel,
            round=task.version - 1 if round_ is None else round_,
            text=make(" ".join(said.split()), work.exercise_id, catalogue),
            language=catalogue.language,
            exercise_id=work.exercise_id,
            correlation_id=work.correlation_id,
        )
        await planned.plan(work.conn, work.municipality, message, work.now)
    return len(people)


async def tell_coordinator(
    work: Work,
    task: TaskSnapshot,
    text: str,
    parts: Mapping[str, object],
    *,
    person_id: str | None = None,
    purpose: Purpose = Purpose.TASK,
    which: object = None,
) -> None:
    """Tell whoever holds the incident in hand; once per version of the task and text, or per ``which``."""
    who = person_id or await _coordinator(work, task.incident_id)
    if who is None:
        return
    subject = which if which is not None else (task.task_id, task.version)
    alert_id = names.alert_id(work.municipality, task.incident_id, text, subject)
    if await _alert(work, task.incident_id, alert_id, purpose, task.reasons) is None:
        return
    catalogue = work.catalogue_of(who)
    said = catalogue.text(text).format(town=work.town.town.name, **parts)
    message = planned.Message(
        alert_id=alert_id,
        incident_id=task.incident_id,
        recipient_id=who,
        purpose=purpose,
        channel=Channel.SMS,
        round=0,
        text=finished(said, work.exercise_id, catalogue),
        language=catalogue.language,
        exercise_id=work.exercise_id,
        correlation_id=work.correlation_id,
    )
    await planned.plan(work.conn, work.municipality, message, work.now)


async def _coordinator(work: Work, incident_id: str) -> str | None:
    """Return who answered last for the incident and is no crew; else the first on duty."""
    for person_id in await alerts.who_answered(work.conn, work.municipality, incident_id):
        if person_id in work.town.person_of and not _is_crew(work, person_id):
            return person_id
    held = await incidents.find(work.conn, work.municipality, incident_id)
    if held is None:
        return None
    protocol = protocol_for(held.snapshot, work.town)
    plan = protocol.at(held.snapshot.level) or protocol.levels[0]
    order = roster_order(work.town, plan, work.now)
    return order[0] if order else None


def _is_crew(work: Work, person_id: str) -> bool:
    return any(crews.speaks_for(work.town, person_id, crew) for crew in crews.crews_of(work.town))


async def _code(work: Work, task: TaskSnapshot, person_id: str) -> str:
    return await codes.give(
        work.conn,
        work.municipality,
        work.app.cipher.code_key,
        (TASK, task.task_id),
        person_id,
        incident_id=task.incident_id,
        at=work.now,
        expires_at=work.now + _CODE_LIFE,
    )


async def _alert(
    work: Work,
    incident_id: str,
    alert_id: str,
    purpose: Purpose,
    reasons: Sequence[Reason],
    incident: IncidentSnapshot | None = None,
) -> Alert | None:
    """Keep under what the messages stand; ``None`` when the incident is not known."""
    held = None if incident else await incidents.find(work.conn, work.municipality, incident_id)
    snapshot = incident or (held.snapshot if held else None)
    if snapshot is None:
        return None
    row = Alert(
        alert_id=alert_id,
        incident_id=incident_id,
        incident_version=snapshot.version,
        level=snapshot.level,
        purpose=purpose,
        state=_SENT,
        reasons=tuple(reasons),
        dispatched_at=work.now,
        exercise_id=work.exercise_id,
    )
    await alerts.add(work.conn, work.municipality, row)
    return row
