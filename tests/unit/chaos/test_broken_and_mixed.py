"""What the faults of the broker write is what they say: broken beyond repair, or whole and out of order."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from schemas.topics import READINGS_EXTERNAL
from schemas.vocabulary import Property
from services.ingest.domain.normalise import Reading
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.handlers.on_reading_published import read_record
from services.runtime.errors import Refused
from services.runtime.records import Record
from tests.chaos import r11, r13
from tests.chaos.campaign import BEGINS, TOWN, Order

ORDER = Order("sqlite", None, Path("nowhere"), 1, "ci")
GAUGES = [f"g-{number:03d}" for number in range(1, r11.GAUGES + 1)]
CATALOGUE = Catalogue.of(
    {TOWN: [KnownSensor(gauge, gauge, Property.RIVER_LEVEL, "", -1, 15, 900) for gauge in GAUGES]}
)


def read(written: r11.Written) -> Reading | Refused:
    headers, value = written
    record = Record(
        READINGS_EXTERNAL.name,
        0,
        0,
        None,
        value or b"",
        tuple((name, raw or b"") for name, raw in headers),
        0,
    )
    return read_record(record, BEGINS, CATALOGUE)[1]


@pytest.mark.parametrize("kind", r11.KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_no_broken_record_can_be_taken_for_a_reading(kind) -> None:
    """Otherwise the account of R11 would not come out even."""
    draw = random.Random(5)
    for number in range(200):
        assert isinstance(read(kind(draw, r11._headers(f"b-{number}", "red"))), Refused)


def test_every_good_record_is_a_reading_of_its_own() -> None:
    """One is not the repeat of another."""
    good = [read(each) for each in r11._good(random.Random(5), GAUGES)]
    readings = [each for each in good if isinstance(each, Reading)]
    assert len(readings) == len({each.identity for each in readings}) == r11.FUZZED // r11.GOOD_EACH


def test_mixed_events_come_three_times_and_at_most_an_hour_late() -> None:
    """None is missing, none is new, and they are well out of order."""
    events = r13._events(ORDER, GAUGES[:10])
    mixed = r13._mixed(ORDER, events, gauges=10)
    times = Counter((row["sensor_id"], row["observed_at"]) for row in mixed)
    assert {r13.COPIES} == set(times.values())
    assert len(events) == len(times)
    newest = datetime.fromisoformat(mixed[0]["observed_at"])
    turned_back = 0
    for row in mixed:
        at = datetime.fromisoformat(row["observed_at"])
        assert newest - at <= r13.WINDOW
        turned_back += at < newest
        newest = max(newest, at)
    assert turned_back > len(mixed) / 2


def test_two_towns_that_end_otherwise_have_other_hashes() -> None:
    """In what was counted, in a condition, in an incident; ids alone make no difference."""
    end = {"counted": {"g": [1, "5"]}, "settled": {"g r": 2}, "incidents": [["flood"]], "ids": {"z": "a"}}
    others = [{**end, "counted": {}}, {**end, "settled": {"g r": 3}}, {**end, "incidents": []}]
    assert r13.hash_of(end) not in {r13.hash_of(other) for other in others}
    assert r13.hash_of(end) == r13.hash_of({**end, "ids": {"z": "b"}})


def test_an_incident_named_after_no_reading_at_its_level_is_seen() -> None:
    """In turn only the first reading that could raise may give the name, out of order any of them."""
    events = r13._events(ORDER, GAUGES[:10])
    possible = r13.possible_ids(events)
    first = {"ids": {zone: ids[0] for zone, ids in possible.items()}}
    last = {"ids": {zone: ids[-1] for zone, ids in possible.items()}}
    assert r13.strange_ids(events, first, first) == r13.strange_ids(events, first, last) == []
    assert len(r13.strange_ids(events, last, first)) == 1
    zone = min(possible)
    for ids in ({**first["ids"], zone: "another"}, {**first["ids"], "z-999": possible[zone][0]}):
        assert len(r13.strange_ids(events, first, {"ids": ids})) == 1
    assert len(r13.strange_ids(events, first, {"ids": dict(list(first["ids"].items())[1:])})) == 1
