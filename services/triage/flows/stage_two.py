"""Stage 2 in its transaction: lock the town, decide, keep, and hand over what must be published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from schemas.events.decisions import CoordinatorDecided, DecisionRuled
from schemas.events.incidents import IncidentSnapshot
from schemas.events.reports import ReportJudged
from schemas.vocabulary import IncidentState, Ruling
from services.runtime.clock import Clock
from services.runtime.errors import ParkingFull
from services.runtime.outbox import Outbox
from services.runtime.parking import Parking
from services.runtime.records import Record, envelope_of
from services.runtime.timers import Timer, Timers
from services.triage.domain.changes import Change, Signal
from services.triage.domain.decisions import Ruled, rule_on
from services.triage.domain.engine import refusal
from services.triage.domain.incident import publish
from services.triage.domain.inputs import Decision, Report
from services.triage.domain.reasons import reason
from services.triage.domain.report import judge
from services.triage.domain.rulebook import Book
from services.triage.domain.state import TownState
from services.triage.domain.town import decide
from services.triage.outbound.changes import ChangeStore
from services.triage.outbound.decisions import DecisionStore
from services.triage.outbound.events import classified, judged, ruled
from services.triage.outbound.incidents import IncidentStore
from services.triage.outbound.towns import LockedTown, TownStore
from services.triage.settings import SERVICE
from services.triage.towns import Towns

log = structlog.get_logger()

WAITS = "decision_waits"
UNBROKEN_MOST: Final = 500
"""Signals decided before other work of the process has its turn."""


@dataclass(slots=True)
class StageTwo:
    """What the readings' batch, people's reports and their decisions lead to."""

    towns: Towns
    town_store: TownStore
    incidents: IncidentStore
    changes: ChangeStore
    decisions: DecisionStore
    parking: Parking
    timers: Timers
    outbox: Outbox
    clock: Clock
    decision_waits: timedelta

    async def take_up(
        self, conn: AsyncConnection, municipality: str, parts: Sequence[tuple[Sequence[Signal], str | None]]
    ) -> None:
        """Decide over the town what stage 1 signalled, each part with the event that caused it.

        Decisions that waited for a new incident follow.
        """
        book = self.towns.book(municipality)
        locked = await self.town_store.lock(conn, municipality)
        changes = await _decided(book, locked.state, parts)
        inputs = [
            (str(type(signal).__struct_config__.tag), signal.at, signal)
            for signals, _ in parts
            for signal in signals
        ]
        await self.town_store.save(conn, municipality, locked, inputs)
        await self._keep(conn, municipality, changes)
        await self._unpark_all(conn, municipality, [change for change, _ in changes], locked)

    async def decide(
        self, conn: AsyncConnection, municipality: str, event: CoordinatorDecided, record: Record
    ) -> None:
        """Apply, refuse or park a person's decision; a decision that was answered is left alone."""
        if await self.decisions.is_ruled(conn, municipality, event.decision_id):
            return
        locked = await self.town_store.lock(conn, municipality)
        is_open = event.incident_id in locked.state.incidents
        if not is_open and not await self.incidents.exists(conn, municipality, event.incident_id):
            await self._park(conn, municipality, event, record)
            return
        await self._rule(conn, municipality, event, record, locked)

    async def judge(
        self, conn: AsyncConnection, municipality: str, report: Report, cause: str | None
    ) -> None:
        """Judge a report over the town, and say what it came to."""
        locked = await self.town_store.lock(conn, municipality)
        outcome = judge(self.towns.book(municipality), locked.state, report)
        await self.town_store.save(conn, municipality, locked, [("report", report.at, report)])
        await self._keep(conn, municipality, [(change, cause) for change in outcome.changes])
        await self._unpark_all(conn, municipality, outcome.changes, locked)
        answer = ReportJudged(
            report_id=report.report_id,
            verdict=outcome.verdict,
            reasons=outcome.reasons,
            judged_at=report.at,
            incident_id=outcome.incident_id,
            zone=outcome.zone,
            danger=outcome.danger,
        )
        await self.outbox.add(conn, municipality, [judged(municipality, answer, at=report.at, cause=cause)])
        log.info(
            "triage.report_judged",
            municipality=municipality,
            report_id=report.report_id,
            verdict=outcome.verdict.value,
            code=_code(outcome.reasons),
            incident_id=outcome.incident_id,
        )

    async def expire(self, conn: AsyncConnection, timer: Timer) -> None:
        """Answer what waited in vain for its incident."""
        for municipality, incident_id, record in await self.parking.overdue(conn, timer.due_at):
            event = CoordinatorDecided.model_validate_json(record.value)
            why = reason("decision.never_found", incident=incident_id)
            await self._answer(conn, municipality, event, Ruled(Ruling.EXPIRED, (why,)), record)

    async def _park(
        self, conn: AsyncConnection, municipality: str, event: CoordinatorDecided, record: Record
    ) -> None:
        now = self.clock.now()
        due_at = now + self.decision_waits
        try:
            is_new = await self.parking.park(
                conn, municipality, event.incident_id, event.decision_id, record, now, due_at
            )
        except ParkingFull as full:
            log.warning("triage.decision_not_parked", decision_id=event.decision_id, reason=str(full))
            why = reason("decision.too_many_wait", incident=event.incident_id)
            await self._answer(conn, municipality, event, Ruled(Ruling.REFUSED, (why,)), record)
            return
        if is_new:
            await self.timers.set(conn, municipality, WAITS, event.decision_id, event.incident_id, due_at)
            log.warning(
                "triage.decision_parked", decision_id=event.decision_id, incident_id=event.incident_id
            )

    async def _unpark_all(
        self, conn: AsyncConnection, municipality: str, changes: Sequence[Change], locked: LockedTown
    ) -> None:
        new = [
            change.snapshot.incident_id
            for change in changes
            if change.snapshot is not None and change.snapshot.version == 1
        ]
        for incident_id in await self.parking.awaited(conn, municipality, new):
            await self._unpark(conn, municipality, incident_id, locked)

    async def _unpark(
        self, conn: AsyncConnection, municipality: str, incident_id: str, locked: LockedTown
    ) -> None:
        for record in await self.parking.take(conn, municipality, incident_id):
            event = CoordinatorDecided.model_validate_json(record.value)
            await self.timers.cancel(conn, municipality, WAITS, event.decision_id)
            if not await self.decisions.is_ruled(conn, municipality, event.decision_id):
                await self._rule(conn, municipality, event, record, locked)

    async def _rule(
        self,
        conn: AsyncConnection,
        municipality: str,
        event: CoordinatorDecided,
        record: Record,
        locked: LockedTown,
    ) -> None:
        book, now = self.towns.book(municipality), self.clock.now()
        decision = Decision(
            decision_id=event.decision_id,
            incident_id=event.incident_id,
            verb=event.verb.value,
            operator_id=event.operator_id,
            decided_at=event.decided_at,
            at=now,
            reason=event.reason,
            version=event.version,
            level=int(event.level) if event.level is not None else None,
        )
        if event.incident_id in locked.state.incidents:
            outcome = rule_on(book, locked.state, decision)
        else:
            outcome = Ruled(Ruling.REFUSED, (reason("decision.already_closed"),))
        await self.town_store.save(conn, municipality, locked, [("decision", now, decision)])
        changes = outcome.changes or (refusal(book, decision, outcome),)
        await self._keep(conn, municipality, [(change, _cause(record)) for change in changes])
        await self._answer(conn, municipality, event, outcome, record)

    async def _answer(
        self,
        conn: AsyncConnection,
        municipality: str,
        event: CoordinatorDecided,
        outcome: Ruled,
        record: Record,
    ) -> None:
        now = self.clock.now()
        answer = DecisionRuled(
            decision_id=event.decision_id,
            incident_id=event.incident_id,
            verb=event.verb,
            ruling=outcome.ruling,
            reasons=outcome.reasons,
            ruled_at=now,
            ruled_by=SERVICE,
            incident_version=outcome.version,
            operator_id=event.operator_id,
        )
        if await self.decisions.save(conn, municipality, answer):
            await self.outbox.add(
                conn, municipality, [ruled(municipality, answer, at=now, cause=_cause(record))]
            )
            log.info(
                "triage.decision_ruled",
                municipality=municipality,
                decision_id=event.decision_id,
                incident_id=event.incident_id,
                ruling=outcome.ruling.value,
                code=_code(outcome.reasons),
            )

    async def _keep(
        self, conn: AsyncConnection, municipality: str, changes: Sequence[tuple[Change, str | None]]
    ) -> None:
        """Keep the verdicts, and each incident's new version together with its publication."""
        now = self.clock.now()
        await self.changes.add(conn, municipality, [change for change, _ in changes])
        snapshots = [
            (change.snapshot.model_copy(update={"classified_at": now}), cause)
            for change, cause in changes
            if change.snapshot is not None
        ]
        versions = [(snapshot, snapshot.json_bytes()) for snapshot, _ in snapshots]
        await self.incidents.save(conn, municipality, versions)
        outgoing = [
            classified(municipality, snapshot, value, at=now, cause=cause)
            for (snapshot, value), (_, cause) in zip(versions, snapshots, strict=True)
        ]
        await self.outbox.add(conn, municipality, outgoing)
        for snapshot, _ in snapshots:
            if _changed_the_town(snapshot):
                log.info(
                    "triage.incident_classified",
                    municipality=municipality,
                    incident_id=snapshot.incident_id,
                    version=snapshot.version,
                    level=int(snapshot.level),
                    state=snapshot.state.value,
                    code=_code(snapshot.reasons),
                )


async def _decided(
    book: Book, town: TownState, parts: Sequence[tuple[Sequence[Signal], str | None]]
) -> list[tuple[Change, str | None]]:
    """Decide as ``engine.decide_all`` does, with turns for others between; each verdict with its cause."""
    news, causes = [], []
    for signals, cause in parts:
        for place, signal in enumerate(signals, start=1):
            said = decide(book, town, signal)
            news += said
            causes += [cause] * len(said)
            if place % UNBROKEN_MOST == 0:
                await asyncio.sleep(0)
    return list(zip(publish(book, town, news), causes, strict=True))


def _changed_the_town(snapshot: IncidentSnapshot) -> bool:
    """Say whether a version is worth a line; most only add evidence."""
    is_new = snapshot.version == 1 or snapshot.state is IncidentState.CLOSED
    return is_new or snapshot.level != snapshot.previous_level


def _code(reasons: Sequence[Reason]) -> str:
    return reasons[0].code if reasons else ""


def _cause(record: Record) -> str:
    return envelope_of(record).id
