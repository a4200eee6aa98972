"""Records of outsiders on ``readings.external``: taken like posted readings, or dead with a reason."""

import json
from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope
from services.ingest.domain.normalise import Reading
from services.ingest.handlers.on_reading_published import OnReadingPublished, read_record
from services.ingest.outbound.tables import PACK, QUARANTINE, RUNTIME
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import Refused
from services.runtime.outbox import Outbox
from services.runtime.records import Record
from tests.unit.ingest.conftest import CATALOGUE, START

GOOD = {
    "sensor_id": "rio-1",
    "property": "river_level",
    "value": 2.32,
    "unit": "m",
    "observed_at": "2026-05-02T08:55:00-03:00",
}
_SAME = object()


def record(
    value: object = _SAME,
    offset: int = 0,
    *,
    town: str = "alta",
    kind: str = "reading.published",
    source: str = "red",
    headers: tuple[tuple[str, bytes], ...] | None = None,
) -> Record:
    said = GOOD if value is _SAME else value
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    envelope = Envelope(id=str(offset), source=source, type=kind, time=START, municipality=town)
    return Record(
        "readings.external", 0, offset, None, body, tuple(envelope.headers()) if headers is None else headers
    )


@pytest.fixture
def handler(db, clock, acceptance) -> OnReadingPublished:
    outbox = Outbox(RUNTIME, None, "ingest", clock)
    letters = DeadLetters(RUNTIME, outbox, "ingest")
    return OnReadingPublished(db, acceptance, letters, outbox, clock=clock, wall=lambda: START, poison_most=5)


async def count(db, table: sa.Table) -> int:
    async with db.reading() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def reasons(db) -> list[str]:
    t = RUNTIME.dead_letter
    async with db.reading() as conn:
        return list((await conn.execute(sa.select(t.c.reason).order_by(t.c.offset))).scalars())


async def test_good_record_is_accepted_like_a_posted_reading(db, handler) -> None:
    """Read again after a crash it is a duplicate."""
    first, again = await handler.handle([record()]), await handler.handle([record()])

    assert (1, 1) == (first["accepted"], again["duplicate"])
    assert await count(db, PACK) == 1


BAD = {
    "not UTF-8": (record(b'{"a": "\xff"}'), "value.not_utf8"),
    "not JSON": (record(b"hola"), "value.not_json"),
    "nested too deeply": (record(b"[" * 100_000), "value.not_json"),
    "empty": (record(b""), "value.empty"),
    "unknown type": (record(kind="reading.invented"), "type.unknown"),
    "no envelope": (record(headers=()), "envelope.specversion"),
    "header that is not UTF-8": (record(headers=(("ce_id", b"\xff"),)), "envelope.id"),
    "town that is not served": (record(town="nirgends"), "municipality.unknown"),
    "array": (record([GOOD]), "reading.shape"),
    "NaN": (record({**GOOD, "value": float("nan")}), "reading.value"),
    "naive time": (record({**GOOD, "observed_at": "2026-05-02T11:00:00"}), "reading.observed_at"),
    "wrong unit": (record({**GOOD, "unit": "kg"}), "reading.unit"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD.values(), ids=BAD.keys())
async def test_bad_record_is_a_dead_letter_and_the_partition_goes_on(db, handler, bad, reason) -> None:
    """The good record behind it is accepted in the same batch."""
    good = record(offset=1)
    counts = await handler.handle([bad, good])

    assert (1, 1) == (counts["dead"], counts["accepted"])
    assert [reason] == await reasons(db)


async def test_batch_read_again_keeps_each_dead_letter_once(db, handler) -> None:
    """A crash between commit and acknowledgement doubles nothing."""
    for _ in range(2):
        await handler.handle([record(b"hola", 7), record(offset=8)])

    assert ["value.not_json"] == await reasons(db)


async def test_source_of_much_poison_is_muted_and_others_are_not(db, handler) -> None:
    """Above five bad records a minute all that it sends is set apart, nothing is thrown away."""
    await handler.handle([record(b"x", offset) for offset in range(6)])
    counts = await handler.handle([record(offset=6), record(offset=7, source="otra")])

    assert Counter(muted=1, accepted=1, dead=0) == counts
    assert await count(db, QUARANTINE) == 1


async def test_poison_under_ever_new_names_is_set_apart_too(db, handler) -> None:
    """A source that calls itself something else each time is bounded by the sum; good readings pass."""
    names = [record(b"x", offset, source=f"nadie-{offset}") for offset in range(51)]
    assert (await handler.handle(names))["dead"] == 51
    counts = await handler.handle([record(b"x", 60, source="nadie-60"), record(offset=61, source="otra")])

    assert Counter(muted=1, accepted=1, dead=0) == counts


async def test_little_poison_mutes_nobody(db, handler) -> None:
    """Five are taken as bad luck."""
    await handler.handle([record(b"x", offset) for offset in range(5)])

    assert (await handler.handle([record(offset=6)]))["accepted"] == 1


async def test_sensor_of_the_neighbour_town_is_set_apart(db, handler) -> None:
    """The envelope's town decides whose gauge it is."""
    counts = await handler.handle([record({**GOOD, "sensor_id": "rio-3"})])

    assert counts["quarantined"] == 1


any_headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_specversion", "ce_municipality", "x"]), st.binary(max_size=9)
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=60), headers=any_headers)
def test_any_bytes_are_answered(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """No record raises anything but a reason to refuse it."""
    for each in (record(value), record(value, headers=tuple(headers))):
        _, read = read_record(each, START, CATALOGUE)
        assert isinstance(read, Reading | Refused)
