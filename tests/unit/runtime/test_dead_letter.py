"""Refused records are kept, shown, published and answered; parked ones wait."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from schemas.vocabulary import Lane
from services.runtime.database import Database
from services.runtime.dead_letter import KEPT_BYTES, DeadLetters
from services.runtime.errors import Forged, Refused
from services.runtime.outbox import Leftovers, Outbox
from services.runtime.parking import Parking
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables
from tests.unit.runtime.conftest import START

POISON = Record(
    "readings.external", 3, 17, b"g1", b"\xff\xfe{", (("ce_municipality", b"ejemplo"), ("x", b"\xff"))
)


@pytest.fixture
def letters(tables: RuntimeTables, outbox: Outbox) -> DeadLetters:
    return DeadLetters(tables, outbox, "testing")


async def add(db: Database, letters: DeadLetters, record: Record = POISON) -> bool:
    async with db.transaction() as conn:
        return await letters.add(conn, record, "value.invalid", "value: not UTF-8", START)


async def test_a_refused_record_is_kept_with_its_reason(db, letters) -> None:
    """Bytes as they came, whatever they are; the town is what the record claims."""
    assert await add(db, letters)
    async with db.reading() as conn:
        (kept,) = await letters.list(conn)
        assert await letters.show(conn, kept.id) == kept
        assert await letters.show(conn, kept.id + 1) is None
    assert (kept.municipality, kept.reason, kept.detail) == ("ejemplo", "value.invalid", "value: not UTF-8")
    assert (kept.topic, kept.partition, kept.offset, kept.key) == ("readings.external", 3, 17, b"g1")
    assert (kept.value, kept.headers) == (b"\xff\xfe{", (("ce_municipality", b"ejemplo"), ("x", b"\\xff")))
    assert (kept.at, kept.is_attack, kept.state) == (START, False, "new")


async def test_it_is_published_on_the_dead_topic(db, letters, outbox) -> None:
    """Table and topic say the same."""
    await add(db, letters)
    async with db.reading() as conn:
        (pending,) = await Leftovers(outbox).pending(conn, 10, frozenset())
    said = json.loads(pending.outgoing.value)
    assert pending.outgoing.topic == "readings.external.dead"
    assert pending.outgoing.lane == Lane.DEAD_LETTERS
    assert (said["partition"], said["offset"], said["reason"]) == (3, 17, "value.invalid")
    assert base64.b64decode(said["value_base64"]) == POISON.value


async def test_a_record_read_again_is_kept_once(db, letters) -> None:
    """A second delivery is no second letter; another record at the same place of a new topic is."""
    assert await add(db, letters)
    assert not await add(db, letters)
    anew = Record("readings.external", 3, 17, b"g1", b"other", POISON.headers)
    assert await add(db, letters, anew)
    async with db.reading() as conn:
        assert await letters.count(conn) == 2


async def test_many_are_kept_at_once_and_each_of_them_once(db, letters, outbox) -> None:
    """What was kept before is neither kept nor published again; every town keeps its own."""
    assert await add(db, letters)
    others = [
        Record("readings.external", 3, 18 + at, None, b"%d" % at, (("ce_municipality", town),))
        for at, town in enumerate((b"ejemplo", b"puerto", b"", b"ejemplo"))
    ]
    refused = [(each, Refused("value.not_json", "the value is not JSON")) for each in (POISON, *others)]
    for new in (4, 0):
        async with db.transaction() as conn:
            assert await letters.add_all_refused(conn, refused, START) == new
            assert await letters.add_all_refused(conn, [], START) == 0
    async with db.reading() as conn:
        kept = await letters.list(conn)
        waiting = await Leftovers(outbox).pending(conn, 10, frozenset())
    assert [17, 18, 19, 20, 21] == sorted(each.offset for each in kept)
    assert {18: "ejemplo", 19: "puerto", 20: "*", 21: "ejemplo"} == {
        each.offset: each.municipality for each in kept if each.offset != 17
    }
    assert [17, 18, 19, 20, 21] == sorted(json.loads(each.outgoing.value)["offset"] for each in waiting)


async def test_a_huge_record_is_cut_and_its_size_kept(db, letters) -> None:
    """900 KB of poison do not fill the disk."""
    await add(db, letters, Record("readings.external", 0, 0, b"k" * 900_000, b"x" * 900_000))
    async with db.reading() as conn:
        (kept,) = await letters.list(conn)
    assert (len(kept.value), kept.value_bytes) == (KEPT_BYTES, 900_000)
    assert kept.municipality == "*"


async def test_a_null_character_stops_no_dead_letter(db, letters) -> None:
    """PostgreSQL refuses it in text; the bytes themselves are kept."""
    record = Record(
        "readings.external", 0, 1, b"\x00", b"\x00", (("\x00", b"\x00"), ("ce_municipality", b"a\x00"))
    )
    async with db.transaction() as conn:
        assert await letters.add(conn, record, "value.invalid", "a\x00b", START)
    async with db.reading() as conn:
        (kept,) = await letters.list(conn)
    assert (kept.value, kept.detail, kept.municipality) == (b"\x00", "a\ufffdb", "*")


async def test_an_attack_is_marked(db, letters) -> None:
    """What is paged can be told apart from what is only wrong."""
    async with db.transaction() as conn:
        await letters.add_refused(conn, POISON, Forged("the signature does not hold"), START)
    async with db.reading() as conn:
        (kept,) = await letters.list(conn)
    assert (kept.is_attack, kept.reason) == (True, "signature.forged")


async def test_a_persons_answer_is_given_once(db, letters) -> None:
    """Discarded is discarded; the list shows what is still open."""
    await add(db, letters)
    async with db.transaction() as conn:
        (kept,) = await letters.list(conn)
        assert await letters.settle(conn, kept.id, "discarded")
        assert not await letters.settle(conn, kept.id, "replayed")
        assert await letters.list(conn) == []
        assert [each.state for each in await letters.list(conn, state=None)] == ["discarded"]


async def test_parked_records_are_taken_in_order_and_once(db, tables) -> None:
    """What waits for an incident of another town with the same id stays."""
    parking = Parking(tables)
    records = [Record("decisions", 0, offset, b"k", b"v%d" % offset, (("ce_id", b"d"),)) for offset in (8, 9)]
    async with db.transaction() as conn:
        for number, record in enumerate(records):
            at = START + timedelta(seconds=number)
            assert await parking.park(conn, "alta", "i1", f"d{number}", record, at, at + timedelta(minutes=5))
            assert not await parking.park(conn, "alta", "i1", f"d{number}", record, at, at)
        assert await parking.next_due(conn) == START + timedelta(minutes=5)
        assert await parking.take(conn, "baja", "i1") == []
        assert await parking.take(conn, "alta", "i1") == records
        assert await parking.take(conn, "alta", "i1") == []


async def test_what_was_awaited_in_vain_is_shown_once(db, tables) -> None:
    """A person sees it; it may still be taken when its incident appears."""
    parking = Parking(tables)
    record = Record("decisions", 0, 8, None, b"v")
    async with db.transaction() as conn:
        await parking.park(conn, "alta", "i1", "d1", record, START, START + timedelta(minutes=5))
        assert await parking.overdue(conn, START + timedelta(minutes=4)) == []
        assert await parking.overdue(conn, START + timedelta(minutes=5)) == [("alta", "i1", record)]
        assert await parking.overdue(conn, START + timedelta(minutes=6)) == []
        assert await parking.next_due(conn) is None
        assert await parking.take(conn, "alta", "i1") == [record]
