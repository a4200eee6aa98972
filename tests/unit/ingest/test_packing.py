"""One record carries what belongs together, in order."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.events.readings import Measurement
from schemas.vocabulary import Property
from services.ingest.domain.packing import Waiting, pack

AT = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


def waiting(row_id: int, town: str, partition: int) -> Waiting:
    measurement = Measurement(
        n=row_id + 1,
        sensor_id="rio-1",
        property=Property.RIVER_LEVEL,
        value=1.0,
        unit="m",
        observed_at=AT,
        received_at=AT,
    )
    return Waiting(row_id, town, partition, measurement)


def test_lone_reading_goes_alone() -> None:
    """When idle nothing waits for company."""
    assert [1] == [len(found.rows) for found in pack([waiting(0, "a", 3)])]


def test_towns_are_never_mixed() -> None:
    """A record belongs to one municipality."""
    packs = pack([waiting(0, "a", 3), waiting(1, "b", 3), waiting(2, "a", 3)])

    assert [("a", [0, 2]), ("b", [1])] == [(p.municipality, [r.row_id for r in p.rows]) for p in packs]


@given(
    places=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=60), most=st.integers(1, 7)
)
def test_every_reading_once_in_order_and_never_too_many(places: list[tuple[str, int]], most: int) -> None:
    """Per town and partition the order is the order accepted."""
    rows = [waiting(i, town, partition) for i, (town, partition) in enumerate(places)]
    packs = pack(rows, most)

    assert sorted(r.row_id for p in packs for r in p.rows) == list(range(len(rows)))
    assert all(1 <= len(p.rows) <= most for p in packs)
    for place in set(places):
        order = [r.row_id for p in packs if (p.municipality, p.partition) == place for r in p.rows]
        assert sorted(order) == order
