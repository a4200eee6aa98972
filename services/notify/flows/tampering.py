"""Messages that cannot leave as they stand in the table: nobody may learn of that from a silent phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from services.notify.flows import alerting, broadcasting
from services.notify.outbound import audit, incidents
from services.notify.outbound.authorised import Broken
from services.notify.work import Work

if TYPE_CHECKING:
    from services.notify.app import App

_WORDS: Final = Reason(
    code="message.content_changed",
    text="Un mensaje guardado cambió después de escribirse: no salió. Revise el sistema y avise usted mismo.",
)
_NUMBER: Final = Reason(
    code="message.number_unreadable",
    text="Hay números que no se pueden leer (¿clave de teléfonos cambiada?): esos mensajes no salieron.",
)


async def on_broken(app: App, conn: AsyncConnection, municipality: str, broken: Sequence[Broken]) -> None:
    """Void warnings whose words changed, write down every message, and page a person once per incident."""
    work = app.work(conn, municipality)
    for each in broken:
        await _note(work, each)
    for incident_id in sorted({each.incident_id for each in broken}):
        await _tell(work, incident_id, [each for each in broken if each.incident_id == incident_id])


async def _note(work: Work, each: Broken) -> None:
    why = _WORDS if each.is_changed else _NUMBER
    await audit.note(
        work.conn,
        work.municipality,
        actor="notify",
        action=why.code,
        object_id=each.message_id,
        detail={"alert_id": each.alert_id, "warning_id": each.warning_id, "version": each.version},
        at=work.now,
    )


async def _tell(work: Work, incident_id: str, broken: Sequence[Broken]) -> None:
    held = await incidents.find(work.conn, work.municipality, incident_id)
    if held is not None:
        work = work.about(exercise_id=held.exercise_id, correlation_id=held.correlation_id)
    changed = [each for each in broken if each.is_changed]
    for warning_id, version in dict.fromkeys((each.warning_id, each.version) for each in changed):
        if warning_id is not None and version is not None:
            await broadcasting.break_off(work, incident_id, warning_id, version)
    if held is None:
        return
    if any(each.warning_id is None for each in changed):
        await alerting.page_problem(work, held.snapshot, _WORDS, "messages")
    if len(changed) < len(broken):
        await alerting.page_problem(work, held.snapshot, _NUMBER, "messages")
