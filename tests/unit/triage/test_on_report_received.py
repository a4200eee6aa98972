"""``report.received`` through the app: once, in one transaction, with an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.events.reports import ReportReceived
from schemas.topics import REPORTS
from schemas.vocabulary import ReportChannel
from services.runtime.errors import OursMalformed
from services.runtime.records import Record
from services.triage import tables
from tests.unit.triage.town import START, Desk, envelope_of, load


@pytest.fixture
async def desk(tmp_path: Path, url: str):
    made = Desk(tmp_path, [load(tmp_path / "towns")], url)
    await made.app.start()
    yield made
    await made.app.db.close()


def received(desk: Desk, report_id: str = "villa~1", town: str = "villa", **said: object) -> Record:
    event = ReportReceived(
        report_id=report_id,
        category="OTRO",
        text="niño atrapado",
        zone="z-001",
        reported_at=START,
        received_at=START,
        channel=ReportChannel.CAD,
        source="key:villa~1",
    ).model_copy(update=said)
    return desk.record(REPORTS.name, 0, envelope_of(event, town, "ingest"), event.json_bytes())


async def log_of(desk: Desk) -> list[str]:
    async with desk.app.db.reading() as conn:
        return list((await conn.execute(sa.select(tables.input_log.c.kind))).scalars())


async def test_a_report_is_judged_once_across_a_crash(desk: Desk) -> None:
    """The record comes twice, and once more after a kill: one incident, one answer, one input."""
    record = received(desk)
    await desk.app.consume(REPORTS.name, [record, record])
    await desk.crash()
    await desk.app.consume(REPORTS.name, [record])
    assert ["report"] == await log_of(desk)
    (incident,) = await desk.published("incident.classified")
    (judged,) = await unsigned(desk, "report.judged")
    assert (incident["incident_id"], "opened") == (judged["incident_id"], judged["verdict"])


async def test_own_answers_are_passed_over(desk: Desk) -> None:
    await desk.app.consume(REPORTS.name, [received(desk)])
    async with desk.app.db.reading() as conn:
        rows = await desk.app.outbox.pending(conn, 100, frozenset())
    (mine,) = [row.outgoing for row in rows if row.outgoing.topic == REPORTS.name]
    record = desk.record(REPORTS.name, 0, mine.envelope, mine.value)
    await desk.app.consume(REPORTS.name, [record])
    assert ["report"] == await log_of(desk)


async def test_town_without_folder_is_a_dead_letter(desk: Desk) -> None:
    await desk.app.consume(REPORTS.name, [received(desk, town="otra")])
    async with desk.app.db.reading() as conn:
        (letter,) = await desk.app.dead_letters.list(conn)
    assert "municipality.unknown" == letter.reason


async def test_what_cannot_be_read_stops_the_consumer(desk: Desk) -> None:
    with pytest.raises(OursMalformed):
        await desk.app.consume(REPORTS.name, [received(desk, category="not a category")])


async def unsigned(desk: Desk, kind: str) -> list[dict[str, object]]:
    import json

    async with desk.app.db.reading() as conn:
        rows = await desk.app.outbox.pending(conn, 100, frozenset())
    return [json.loads(row.outgoing.value) for row in rows if row.outgoing.envelope.type == kind]
