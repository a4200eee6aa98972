"""Which timer calls what. The due times are rows; nothing is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import IncidentState
from services.notify import tables
from services.notify.flows import (
    alerting,
    broadcasting,
    chasing,
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
from services.notify.outbound import alerts, incidents, requests
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
            tasking.ARRIVE: self.chase,
            withdrawing.HEADCOUNT: self.count_heads,
        }.items():
            app.timers.on(kind, handler)

    async def escalate(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody answered: take the next step."""
        work = await self._work_of(conn, timer, tables.alert.c.alert_id)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await alerting.advance(work, row)

    async def release(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody signed: does the town's resolution let it out?"""
        work = await self._work_of(conn, timer, tables.authority_request.c.request_id)
        request = await requests.find(conn, timer.municipality, timer.subject)
        if request is None:
            return
        held = await incidents.find(conn, timer.municipality, request.incident_id)
        if held is not None and held.snapshot.state is not IncidentState.CLOSED:
            await releasing.at_its_time(work, request, held.snapshot)

    async def ask_afresh(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody answered while the words were good."""
        work = await self._work_of(conn, timer, tables.authority_request.c.request_id)
        await questions.unanswered(work, timer.subject)

    async def replan(self, conn: AsyncConnection, timer: Timer) -> None:
        await responding.replan(self._plain(conn, timer), timer.subject, timer.step)

    async def expand(self, conn: AsyncConnection, timer: Timer) -> None:
        """Write the next messages of a broadcast."""
        work = await self._work_of(conn, timer, tables.alert.c.alert_id)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await broadcasting.expand(work, row.alert_id)

    async def reach(self, conn: AsyncConnection, timer: Timer) -> None:
        """Five minutes after a warning: who has to be told by loudspeaker?"""
        work = await self._work_of(conn, timer, tables.alert.c.alert_id)
        row = await alerts.find(conn, timer.municipality, timer.subject)
        if row is not None:
            await tasking.reach_blocks(work, row.alert_id)

    async def ask_renewal(self, conn: AsyncConnection, timer: Timer) -> None:
        await renewing.ask(await self._work_of(conn, timer, tables.warning.c.warning_id), timer.subject)

    async def apply_renewal(self, conn: AsyncConnection, timer: Timer) -> None:
        await renewing.apply(await self._work_of(conn, timer, tables.warning.c.warning_id), timer.subject)

    async def give_up(self, conn: AsyncConnection, timer: Timer) -> None:
        await deciding.give_up(await self._work_of(conn, timer, tables.decision.c.decision_id), timer.subject)

    async def reassign(self, conn: AsyncConnection, timer: Timer) -> None:
        """Nobody accepted a task in time: ask the next crew."""
        work = await self._work_of(conn, timer, tables.task.c.task_id)
        await reassigning.at_deadline(work, timer.subject)

    async def chase(self, conn: AsyncConnection, timer: Timer) -> None:
        """A crew said that it goes, and has not said that it is there."""
        work = await self._work_of(conn, timer, tables.task.c.task_id)
        await chasing.at_time(work, timer.subject, int(timer.step))

    async def count_heads(self, conn: AsyncConnection, timer: Timer) -> None:
        """Somebody has not said that they are out: ring again, and say who is missing."""
        work = await self._work(conn, timer, timer.subject)
        await withdrawing.ring_again(work, timer.subject, int(timer.step))

    def _plain(self, conn: AsyncConnection, timer: Timer) -> Work:
        return self._app.work(conn, timer.municipality)

    async def _work_of(self, conn: AsyncConnection, timer: Timer, key: sa.Column[str]) -> Work:
        """Lock the incident before what the timer is about: two that wait for each other end in neither."""
        incident_id = await incidents.of(conn, timer.municipality, key, timer.subject)
        return await self._work(conn, timer, incident_id or "")

    async def _work(self, conn: AsyncConnection, timer: Timer, incident_id: str) -> Work:
        work = self._plain(conn, timer)
        held = await incidents.find(conn, timer.municipality, incident_id)
        if held is None:
            return work
        return work.about(exercise_id=held.exercise_id, correlation_id=held.correlation_id)
