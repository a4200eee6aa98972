"""Triage without a broker: records in, rows and outgoing records out."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.topics import DECISIONS, READINGS
from schemas.vocabulary import Level, Verb, Via
from services.runtime.errors import Fenced, OursMalformed
from services.triage import tables
from services.triage.flows.readings_batch import UNBROKEN_MOST
from tests.unit.triage.town import Desk, decision, load, reading


@pytest.fixture
async def desk(tmp_path: Path, url: str):
    made = Desk(tmp_path, [load(tmp_path / "towns", confirm=2)], url)
    await made.app.start()
    yield made
    await made.app.db.close()


async def rows(desk: Desk, table: sa.Table) -> list[sa.RowMapping]:
    async with desk.app.db.reading() as conn:
        return list((await conn.execute(sa.select(table))).mappings())


async def rise(desk: Desk, town: str = "villa") -> str:
    await desk.measure(town, reading(1, 0, 2.0), reading(2, 5, 3.1), reading(3, 10, 3.2))
    found = await desk.published("incident.classified", town)
    return str(found[-1]["incident_id"])


async def test_river_that_rises_opens_one_signed_incident(desk: Desk) -> None:
    """Two readings in a row above the third level open an incident of that level, with its reasons."""
    await rise(desk)
    (incident,) = await desk.published("incident.classified")
    assert (incident["level"], incident["version"], incident["zones"]) == (3, 1, ["z-001"])
    assert incident["reasons"][0]["code"] == "incident.opened"
    assert incident["evidence"][0]["value"] == 3.2


async def test_start_says_which_folder_is_in_force_once(desk: Desk) -> None:
    """A second start with the same folder publishes nothing new."""
    await desk.crash()
    (activated,) = await desk.published("municipality.activated")
    assert activated["folder_hash"] == desk.towns["villa"].folder_hash


async def test_record_read_twice_changes_nothing(desk: Desk) -> None:
    """A repeat is recognised by the reading's number."""
    await rise(desk)
    before = await rows(desk, tables.sensor)
    desk.offsets[READINGS.name, desk.partition("villa", "g-001")] = 0
    await desk.measure("villa", reading(1, 0, 2.0), reading(2, 5, 3.1), reading(3, 10, 3.2))
    assert before == await rows(desk, tables.sensor)
    assert len(await desk.published("incident.classified")) == 1


async def test_kill_between_two_readings_loses_nothing(desk: Desk) -> None:
    """The count of readings that agree survives in the row: the second one after a kill still raises."""
    await desk.measure("villa", reading(1, 0, 3.1))
    await desk.crash()
    await desk.measure("villa", reading(2, 5, 3.2))
    (incident,) = await desk.published("incident.classified")
    assert incident["level"] == 3


async def test_failed_commit_is_as_if_it_never_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was folded in memory is dropped with its transaction; the same record then counts once."""
    await desk.measure("villa", reading(1, 0, 3.1))
    record = desk.measured("villa", [reading(2, 5, 3.2)])

    async def fails(*_: object) -> None:
        raise RuntimeError("disk gone")

    with monkeypatch.context() as broken:
        broken.setattr(type(desk.app.stage_two.incidents), "save", fails)
        with pytest.raises(RuntimeError):
            await desk.app.consume(READINGS.name, [record])
    assert await desk.published("incident.classified") == []
    await desk.app.consume(READINGS.name, [record])
    (sensor,) = await rows(desk, tables.sensor)
    assert (sensor["count"], len(await desk.published("incident.classified"))) == (2, 1)


async def test_owner_of_an_older_epoch_writes_nothing(desk: Desk) -> None:
    """Another process took the partition: the batch is rolled back and the memory dropped."""
    await desk.measure("villa", reading(1, 0, 3.1))
    partition = tables.runtime.partition
    async with desk.app.db.transaction() as conn:
        await conn.execute(sa.update(partition).values(epoch=partition.c.epoch + 1))
    with pytest.raises(Fenced):
        await desk.measure("villa", reading(2, 5, 3.2))
    (sensor,) = await rows(desk, tables.sensor)
    assert sensor["count"] == 1
    assert list(desk.app.cache.all()) == []


async def test_second_process_takes_a_partition_over_without_losing_or_repeating(desk: Desk) -> None:
    """The first one's late batch is refused; the second one goes on from the rows, and so does the first."""
    await desk.measure("villa", reading(1, 0, 3.1))
    first, second = desk.app, desk.another_app()
    late = desk.measured("villa", [reading(2, 5, 3.2)])
    await second.consume(READINGS.name, [late])
    with pytest.raises(Fenced):
        await first.handle([late])
    (sensor,) = await rows(desk, tables.sensor)
    assert (sensor["count"], len(await desk.published("incident.classified"))) == (2, 1)
    first.ownership.epochs.clear()
    await first.consume(
        READINGS.name, [late, desk.measured("villa", [reading(3, 10, 3.7), reading(4, 15, 3.7)])]
    )
    assert [one["level"] for one in await desk.published("incident.classified")] == [3, 4]
    await second.db.close()


async def test_towns_row_serves_two_partitions_of_two_processes(desk: Desk) -> None:
    """Each process folds its own gauges; the town's row is decided over by one at a time, from the newest."""
    other = desk.another_app()
    await desk.measure("villa", reading(1, 0, 3.1), reading(2, 5, 3.2))
    sensor = next(
        one for one in ("g-002", "g-003") if desk.partition("villa", one) != desk.partition("villa", "g-001")
    )
    record = desk.measured("villa", [reading(1, 0, 3.1, sensor=sensor), reading(2, 5, 3.2, sensor=sensor)])
    await other.consume(READINGS.name, [record])
    await desk.measure("villa", reading(3, 10, 3.7), reading(4, 15, 3.7))
    found = [
        (one["zones"], one["version"], one["level"]) for one in await desk.published("incident.classified")
    ]
    zone = f"z-{sensor[2:]}"
    assert found == [(["z-001"], 1, 3), ([zone], 1, 3), (["z-001"], 2, 4)]
    (town,) = await rows(desk, tables.town)
    assert town["seq"] == len(await rows(desk, tables.input_log))
    await other.db.close()


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b'{"readings":[]}', b'{"readings":[{"n":1}]}', b"\xff\xfe", b'{"readings":[{"n":0}]}'],
    ids=["empty", "not json", "no readings", "fields absent", "not utf-8", "number zero"],
)
async def test_malformed_reading_of_ours_stops_and_skips_nothing(desk: Desk, value: bytes) -> None:
    """Only we write here, so it is our bug; the good record before it is not kept either."""
    good = desk.measured("villa", [reading(1, 0, 3.1)])
    bad = dataclasses.replace(good, value=value, offset=1)
    with pytest.raises(OursMalformed):
        await desk.app.consume(READINGS.name, [good, bad])
    assert await rows(desk, tables.sensor) == []


async def test_type_of_a_newer_release_stops(desk: Desk) -> None:
    """An unknown type on our own topic is a newer major: never skipped."""
    good = desk.measured("villa", [reading(1, 0, 3.1)])
    headers = tuple((name, b"sensor.measured2" if name == "ce_type" else raw) for name, raw in good.headers)
    with pytest.raises(OursMalformed):
        await desk.app.consume(READINGS.name, [dataclasses.replace(good, headers=headers)])


async def test_silent_gauge_opens_one_incident_and_later_gaps_join_it(desk: Desk) -> None:
    """The site's silence is one matter until a person closes it."""
    await desk.measure("villa", reading(1, 0, 2.0))
    await desk.tick(0)
    await desk.tick(89)
    assert await desk.published("incident.classified") == []
    await desk.tick(90.5)
    await desk.tick(91)
    found = await desk.published("incident.classified")
    mine = [one for one in found if one["site"] == site_of(desk)]
    assert [(row["value"], row["state"]) for row in mine[0]["evidence"]] == [(2.0, "no_data")]
    assert [(one["kind"], one["version"], one["level"]) for one in mine] == [("no_data", 1, 1)]
    await desk.crash()
    await desk.measure("villa", reading(2, 100, 2.0))
    await desk.tick(191)
    after = [one for one in await desk.published("incident.classified") if one["site"] == site_of(desk)]
    assert [one["incident_id"] for one in after] == [mine[0]["incident_id"]] * 3
    assert [one["reasons"][0]["code"] for one in after] == [
        "silence.site_opened",
        "silence.back",
        "silence.site_joined",
    ]


def site_of(desk: Desk) -> str:
    return desk.towns["villa"].sensor_of["g-001"].site


async def test_signed_decision_lowers_and_is_answered(desk: Desk) -> None:
    """A person lowers; the incident's next version and the answer leave in the same transaction."""
    incident_id = await rise(desk)
    await desk.decide("villa", decision(incident_id, Verb.LOWER, level=1, version=1))
    (answer,) = await desk.published("decision.ruled")
    assert (answer["ruling"], answer["incident_version"]) == ("applied", 2)
    assert (await desk.published("incident.classified"))[-1]["level"] == 1


async def test_decision_read_twice_is_answered_once(desk: Desk) -> None:
    """The decision's own id recognises it, also in another record."""
    incident_id = await rise(desk)
    event = decision(incident_id, Verb.LOWER, level=1)
    await desk.decide("villa", event)
    await desk.decide("villa", event)
    assert len(await desk.published("decision.ruled")) == 1


@pytest.mark.parametrize("signed_by", [None, "ingest"], ids=["unsigned", "signed by another service"])
async def test_decision_without_authority_is_a_dead_letter_and_audited(
    desk: Desk, signed_by: str | None
) -> None:
    """It changes nothing, an auditor sees it, and the next decision is taken up."""
    incident_id = await rise(desk)
    await desk.decide("villa", decision(incident_id, Verb.CLOSE), signed_by=signed_by)
    (letter,) = await rows(desk, tables.runtime.dead_letter)
    (seen,) = await rows(desk, tables.audit)
    assert letter["is_attack"]
    assert seen["municipality"] == "villa"
    await desk.decide("villa", decision(incident_id, Verb.LOWER, level=1, decision_id="d-2"))
    assert (await desk.published("decision.ruled"))[0]["decision_id"] == "d-2"


@pytest.mark.parametrize("other", ["text", "operator", "none"])
async def test_decision_whose_operator_did_not_sign_it_is_forged(desk: Desk, other: str) -> None:
    """Notify's seal is not enough at the command line: the person's key must have signed these words."""
    incident_id = await rise(desk)
    event = decision(incident_id, Verb.LOWER, level=2)
    changed = {
        "text": event.model_copy(update={"level": Level.WATCH}),
        "operator": event.model_copy(update={"operator_id": "beto"}),
        "none": event.model_copy(update={"operator_signature": None}),
    }[other]
    await desk.decide("villa", changed)
    assert await desk.published("decision.ruled") == []
    assert len(await rows(desk, tables.audit)) == 1


async def test_answer_by_sms_needs_no_operators_key(desk: Desk) -> None:
    """Notify checked its own code and vouches for the person."""
    incident_id = await rise(desk)
    await desk.decide("villa", decision(incident_id, Verb.LOWER, level=1, via=Via.SMS, sign=False))
    assert (await desk.published("decision.ruled"))[0]["ruling"] == "applied"


async def test_malformed_decision_stops(desk: Desk) -> None:
    """Only we write there."""
    event = decision("i-1", Verb.CLOSE)
    record = dataclasses.replace(desk.decided("villa", event), value=b"{}")
    with pytest.raises(OursMalformed):
        await desk.app.consume(DECISIONS.name, [record])


async def test_decision_about_an_unknown_incident_waits_then_expires(desk: Desk) -> None:
    """It is parked; after its time the person is told that it was never found."""
    await desk.decide("villa", decision("no-such-incident", Verb.CLOSE))
    assert await desk.published("decision.ruled") == []
    await desk.tick(9)
    assert await desk.app.timers.fire_due() == 0
    await desk.tick(11)
    assert await desk.app.timers.fire_due() == 1
    (answer,) = await desk.published("decision.ruled")
    assert answer["ruling"] == "expired"


async def test_one_decision_too_many_about_the_unknown_is_refused_aloud(desk: Desk) -> None:
    """A bound is no silent drop; what waits already is not refused when it is read again."""
    desk.app.parking._per_key_most = 2
    decisions = [decision("no-such-incident", Verb.CLOSE, decision_id=f"d-{n}") for n in (1, 2, 3)]
    for each in [*decisions, decisions[0]]:
        await desk.decide("villa", each)
    (answer,) = await desk.published("decision.ruled")
    assert (answer["decision_id"], answer["ruling"]) == ("d-3", "refused")
    assert answer["reasons"][0]["code"] == "decision.too_many_wait"
    assert len(await rows(desk, tables.runtime.parked)) == 2


async def test_decision_that_came_before_its_incident_is_taken_up_with_it(desk: Desk, tmp_path: Path) -> None:
    """Topics keep no order between them."""
    other = Desk(tmp_path / "other", [load(tmp_path / "other", confirm=2)])
    await other.app.start()
    incident_id = await rise(other)
    await other.app.db.close()
    await desk.decide("villa", decision(incident_id, Verb.RAISE, level=4))
    assert incident_id == await rise(desk)
    assert (await desk.published("decision.ruled"))[0]["ruling"] == "applied"
    assert (await desk.published("incident.classified"))[-1]["level"] == 4


async def test_decision_about_a_closed_incident_is_refused(desk: Desk) -> None:
    """It is known, so it does not wait."""
    incident_id = await rise(desk)
    await desk.decide("villa", decision(incident_id, Verb.LOWER, level=0))
    await desk.decide("villa", decision(incident_id, Verb.CLOSE, decision_id="d-2"))
    await desk.decide("villa", decision(incident_id, Verb.LOWER, level=0, decision_id="d-3"))
    answers = await desk.published("decision.ruled")
    assert [one["ruling"] for one in answers] == ["applied", "applied", "refused"]
    assert answers[-1]["reasons"][0]["code"] == "decision.already_closed"
    assert len(await desk.published("incident.closed")) == 1


async def test_two_towns_with_the_same_gauges_never_mix(tmp_path: Path, url: str) -> None:
    """Same sensor, zone and rule ids: one town's river is not the other's."""
    desk = Desk(tmp_path, [load(tmp_path / "towns", town, confirm=2) for town in ("villa", "puerto")], url)
    await desk.app.start()
    await desk.measure("villa", reading(1, 0, 3.1))
    await desk.measure("puerto", reading(1, 0, 3.1))
    assert await desk.published("incident.classified") == []
    incident_id = await rise_second(desk, "villa")
    assert await desk.published("incident.classified", "puerto") == []
    await desk.decide("puerto", decision(incident_id, Verb.CLOSE, town="puerto"))
    assert await desk.published("decision.ruled") == []
    await desk.app.db.close()


async def rise_second(desk: Desk, town: str) -> str:
    await desk.measure(town, reading(2, 5, 3.2))
    return str((await desk.published("incident.classified", town))[0]["incident_id"])


async def test_long_batch_lets_others_have_their_turn(desk: Desk) -> None:
    """Heartbeats and the watchdog do not wait for ten thousand readings."""
    await desk.measure("villa", reading(1, 0, 2.0))
    ((_, states),) = desk.app.cache.all()
    seen, records = [1], []
    for first in range(2, 10_002, 500):
        readings = [reading(n, n, 2.0, quality="suspect") for n in range(first, first + 500)]
        records.append(desk.measured("villa", readings))

    async def look() -> None:
        while True:
            seen.append(states["g-001"].last_n)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await desk.app.consume(READINGS.name, records)
    looking.cancel()
    assert seen[-1] == 10_001
    assert max(after - before for before, after in pairwise(seen)) <= UNBROKEN_MOST + 500


async def test_state_in_rows_stays_small(desk: Desk) -> None:
    """A thousand readings later the row holds the window, not the history."""
    for start in range(0, 1000, 100):
        batch = [reading(n + 1, n, 2.0 + (n % 7) / 10) for n in range(start, start + 100)]
        await desk.measure("villa", *batch)
    (sensor,) = await rows(desk, tables.sensor)
    assert sensor["count"] == 1000
    assert len(sensor["state"]) < 4000
