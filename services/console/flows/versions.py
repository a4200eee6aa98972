"""What stands in versions: an older or equal one changes nothing, a newer one is kept and shown."""

from __future__ import annotations

from schemas.events.incidents import IncidentSnapshot
from schemas.events.tasks import TaskSnapshot
from schemas.events.warnings import WarningSnapshot
from schemas.vocabulary import WarningState
from services.console.domain.standing import Standing, after
from services.console.outbound.writing import Telling
from services.console.tables import incident, task, warning


async def tell_incident(telling: Telling, said: IncidentSnapshot) -> None:
    key = {"incident_id": said.incident_id}
    held = await telling.held(incident, key)
    if held is not None and held["version"] >= said.version:
        return
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.incident_id, version=said.version)
    row = {"version": said.version, "state": said.state.value, "body": said.model_dump(mode="json")}
    await telling.put_version(incident, key, row, held, said.opened_at)


async def tell_warning(telling: Telling, said: WarningSnapshot) -> None:
    key = {"warning_id": said.warning_id}
    held = await telling.held(warning, key)
    if held is not None and held["version"] >= said.version:
        return
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.warning_id, version=said.version)
    before = Standing(WarningState(held["state"]), held["in_force_version"]) if held is not None else None
    standing = after(before, said.TYPE, said.version, said.state)
    row = {
        "incident_id": said.incident_id,
        "version": said.version,
        "in_force_version": standing.in_force_version,
        "state": standing.state.value,
        "body": said.model_dump(mode="json"),
    }
    await telling.put_version(warning, key, row, held, telling.envelope.time)


async def tell_task(telling: Telling, said: TaskSnapshot) -> None:
    key = {"task_id": said.task_id}
    held = await telling.held(task, key)
    if held is not None and held["version"] >= said.version:
        return
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.task_id, version=said.version)
    row = {
        "incident_id": said.incident_id,
        "version": said.version,
        "state": said.state.value,
        "body": said.model_dump(mode="json"),
    }
    await telling.put_version(task, key, row, held, said.at)
