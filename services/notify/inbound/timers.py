"""Which timer calls what. The due times are rows; nothing is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import IncidentState
from services.notify.flows import (
    alerting,
    broadcasting,
    deciding,
    issuing,
    questions,
    reassigning,
    releasing,
    renewing,
    responding,
    tasking,
    withdrawing,
)
from services.notify.outbound import alerts, incidents, requests, tasks
from services.notify.work import Work
from services.runtime.timers import Timer

if TYPE_CHECKING:
    from services.notify.app import App


class Alarms:
    """The handlers of notify's timers, by kind."""

    def __init__(self, app: App) -> None:
        self._app = app
        for kind, handler in {
            alerting.ESCALATE: self.escalate,
            questions.RELEASE: self.release,
            questions.REPLAN: self.replan,
            questions.UNANSWERED: self.ask_afresh,
            broadcasting.EXPAND: self.expand,
            broadcasting.REACH: self.reach,
            issuing.RENEW_ASK: self.ask_renewal,
            issuing.RENEW_APPLY: self.apply_renewal,
            deciding.WAIT: self.give_up,
            tasking.DUE: self.reassign,
            withdrawing.HEADCOUNT: self.count_heads,
        }.items():
            app.timers.on(kind, handler)

    async def escalate(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody answered: take the next step."""
        work = await self._work_of_alert(conn, timer)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await alerting.advance(work, row)

    async def release(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody signed: does the town's resolution let it out?"""
        request = await requests.find(conn, timer.municipality, timer.subject)
        if request is None:
            return
        held = await incidents.find(conn, timer.municipality, request.incident_id)
        if held is None or held.snapshot.state is IncidentState.CLOSED:
            return
        work = await self._work(conn, timer, request.incident_id)
        await releasing.at_its_time(work, request, held.snapshot)

    async def ask_afresh(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody answered while the words were good."""
        request = await requests.find(conn, timer.municipality, timer.subject)
        if request is not None:
            await questions.unanswered(await self._work(conn, timer, request.incident_id), timer.subject)

    async def replan(self, conn: AsyncConnection, timer: Timer) -> None:
        await responding.replan(self._plain(conn, timer), timer.subject)

    async def expand(self, conn: AsyncConnection, timer: Timer) -> None:
        """Write the next messages of a broadcast."""
        work = await self._work_of_alert(conn, timer)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await broadcasting.expand(work, row.alert_id)

    async def reach(self, conn: AsyncConnection, timer: Timer) -> None:
        """Five minutes after a warning: who has to be told by loudspeaker?"""
        work = await self._work_of_alert(conn, timer)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await tasking.reach_blocks(work, row.alert_id)

    async def ask_renewal(self, conn: AsyncConnection, timer: Timer) -> None:
        await renewing.ask(self._plain(conn, timer), timer.subject)

    async def apply_renewal(self, conn: AsyncConnection, timer: Timer) -> None:
        await renewing.apply(self._plain(conn, timer), timer.subject)

    async def give_up(self, conn: AsyncConnection, timer: Timer) -> None:
        await deciding.give_up(self._plain(conn, timer), timer.subject)

    async def reassign(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody accepted a task in time: ask the next crew."""
        held = await tasks.find(conn, timer.municipality, timer.subject)
        if held is not None:
            work = await self._work(conn, timer, held.incident_id)
            await reassigning.at_deadline(work, timer.subject)

    async def count_heads(self, conn: AsyncConnection, timer: Timer) -> None:
        """Somebody has not said that they are out: ring again, and say who is missing."""
        work = await self._work(conn, timer, timer.subject)
        await withdrawing.ring_again(work, timer.subject, int(timer.step))

    def _plain(self, conn: AsyncConnection, timer: Timer) -> Work:
        return self._app.work(conn, timer.municipality)

    async def _work_of_alert(self, conn: AsyncConnection, timer: Timer) -> Work:
        """Lock the incident before its alert, as handlers do: two that wait for each other end in neither."""
        incident_id = await alerts.incident_of(conn, timer.municipality, timer.subject)
        return await self._work(conn, timer, incident_id or "")

    async def _work(self, conn: AsyncConnection, timer: Timer, incident_id: str) -> Work:
        work = self._plain(conn, timer)
        held = await incidents.find(conn, timer.municipality, incident_id)
        if held is None:
            return work
        return work.about(exercise_id=held.exercise_id, correlation_id=held.correlation_id)
