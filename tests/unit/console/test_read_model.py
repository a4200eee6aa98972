"""The same events give the same read model: repeated, in any order of topics, and made anew."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.console.tables import READ_MODEL, message, metadata
from services.runtime.database import Database
from services.runtime.errors import OursMalformed, ReadFrom
from services.runtime.records import Record
from tests.unit.console.rig import Desk, Told, at, by_topic, night, said
from tests.unit.console.rig import message as status


@pytest.fixture
async def desk(tmp_path: Path, url: str):
    made = Desk(tmp_path, url)
    await made.app.start()
    yield made
    await made.app.db.close()


async def test_migrated_tables_are_those_of_the_code(desk: Desk) -> None:
    """A column added without a migration is found here."""
    assert await desk.app.db.drift(metadata) == []


async def test_made_anew_it_is_the_same(desk: Desk) -> None:
    """Dropped and read again from the first record, every row of every collection is what it was."""
    await desk.tell(*night(), *night("puerto"))
    before = await desk.digest()
    assert min(count for name, (count, _) in before.items() if name != "report") > 0
    await desk.app.rebuild()
    assert {count for count, _ in (await desk.digest()).values()} == {0}
    await desk.tell_again()
    assert before == await desk.digest()
    assert before != await desk.digest("puerto")


async def test_what_comes_twice_changes_nothing(desk: Desk) -> None:
    """A whole topic read again, and the same event published again under another offset."""
    events = night()
    await desk.tell(*events)
    before = await desk.digest()
    await desk.tell_again()
    await desk.tell(*events[::-1])
    assert before == await desk.digest()


@pytest.mark.parametrize("seed", range(12))
async def test_order_across_topics_does_not_matter(tmp_path: Path, url: str, seed: int) -> None:
    """Any mixture of the topics, each in its own order, with repeats and in batches of any size."""
    chance = random.Random(seed)
    straight, mixed = Desk(tmp_path / "a", f"sqlite:///{tmp_path}/straight.sqlite"), Desk(tmp_path / "b", url)
    events = [*night(), *night("puerto", "i2")]
    for desk in (straight, mixed):
        await desk.app.start()
    await straight.tell(*events)
    waiting = list(by_topic(events).values())
    while waiting:
        queue = chance.choice(waiting)
        count = chance.randint(1, 4)
        records = [mixed.record(each) for each in queue[:count]]
        await mixed.app.consume(queue[0].topic, records)
        if chance.random() < 0.3:
            await mixed.app.consume(queue[0].topic, records)
        del queue[:count]
        waiting = [each for each in waiting if each]
    for town in ("villa", "puerto"):
        assert await straight.digest(town) == await mixed.digest(town)
    for desk in (straight, mixed):
        await desk.app.db.close()


async def test_older_version_changes_nothing(desk: Desk) -> None:
    """A version that is not newer than the one held is dropped, under whatever event id it comes."""
    await desk.tell(Told("incident.classified", said("incident.classified", version=4, level=3), 1))
    before = await desk.digest()
    late = said("incident.classified", version=4, level=4)
    await desk.tell(Told("incident.classified", late, 0.5))
    now = await desk.digest()
    assert (before["incident"], before["event"]) == (now["incident"], now["event"])


async def test_question_of_renewal_ends_no_warning(desk: Desk) -> None:
    """While somebody is asked whether a warning goes on, it goes on."""
    told = [each for each in night() if each.topic == "warnings"]
    renewal = next(index for index, each in enumerate(told) if each.minutes == 60)
    await desk.tell(*told[: renewal + 1])
    (warning,) = (await desk.get("warnings"))["items"]
    assert (warning["state"], warning["in_force_version"], warning["version"]) == ("authorised", 2, 3)
    await desk.tell(*told[renewal + 1 :])
    (warning,) = (await desk.get("warnings"))["items"]
    assert (warning["state"], warning["in_force_version"], warning["version"]) == ("lifted", None, 5)


async def test_message_that_goes_back_keeps_when_it_first_left(desk: Desk) -> None:
    """A second try does not move the first moment; the state is the one told last."""
    for minutes, state in (
        (1, "accepted"),
        (2, "planned"),
        (3, "accepted"),
        (4, "delivered"),
        (5, "answered"),
    ):
        event = said("message.updated", messages=[status("m1", state, minutes)])
        await desk.tell(Told("message.updated", event, minutes))
    (row,) = (await desk.get("messages"))["items"]
    assert (row["state"], row["handed_over_at"], row["delivered_at"]) == (
        "answered",
        at(1).isoformat(),
        at(4).isoformat(),
    )


@pytest.mark.parametrize("signed_by", [None, "ingest"], ids=["unsigned", "signed by another"])
async def test_forged_record_is_a_dead_letter_and_audited_once(desk: Desk, signed_by: str | None) -> None:
    """Nothing of it is shown, the partition goes on, and reading it again audits nothing new."""
    forged = Told("incident.classified", said("incident.classified"), 1, signed_by=signed_by)
    await desk.tell(forged, night()[1])
    assert [row["version"] for row in (await desk.get("incidents"))["items"]] == [1]
    await desk.app.rebuild()
    await desk.tell_again()
    status = (await desk.ask("/admin/v1/status")).json()
    assert (status["dead_letters"], status["attempts_on_authority"]) == (1, 1)
    (letter,) = (await desk.ask("/admin/v1/dead-letters")).json()["items"]
    assert (letter["topic"], letter["offset"], letter["is_attack"]) == ("incidents", 0, True)


async def test_record_of_ours_that_cannot_be_read_stops_after_those_before_it(desk: Desk) -> None:
    """Nothing is skipped, and what stood before it in the batch is kept."""
    good = desk.record(night()[1])
    bad = Record("incidents", 0, 1, None, b"{}", good.headers)
    with pytest.raises(OursMalformed):
        await desk.app.consume("incidents", [good, bad, good])
    assert len((await desk.get("incidents"))["items"]) == 1


async def test_lost_tables_are_read_again_before_anything_newer(desk: Desk) -> None:
    """A batch behind a hole is refused with the place to read from; a hole of the topic itself is taken."""
    first, second = (desk.record(each) for each in night() if each.kind == "incident.classified")
    with pytest.raises(ReadFrom) as refused:
        await desk.app.consume("incidents", [second])
    assert refused.value.places == {("incidents", 0): 0}
    await desk.app.consume("incidents", [first, second])
    gone = Record("incidents", 0, 9, None, second.value, second.headers)
    with pytest.raises(ReadFrom):
        await desk.app.consume("incidents", [gone])
    await desk.app.consume("incidents", [gone])
    async with desk.app.db.reading() as conn:
        assert await desk.app.positions.held(conn) == {("incidents", 0): 10}


async def test_failed_batch_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, marks and place are one transaction."""
    records = [desk.record(each) for each in night() if each.topic == "warnings"]

    async def fails(*_: object) -> None:
        raise RuntimeError("disk gone")

    with monkeypatch.context() as broken:
        broken.setitem(handlers(), "warning.lifted", fails)
        with pytest.raises(RuntimeError):
            await desk.app.consume("warnings", records)
    assert {count for count, _ in (await desk.digest()).values()} == {0}
    await desk.app.consume("warnings", records)
    assert (await desk.digest())["event"][0] == 7


def handlers() -> dict[str, object]:
    from services.console.inbound import consuming

    return consuming.HANDLERS  # type: ignore[return-value] # a mapping for readers, a dict for this test


async def test_every_row_belongs_to_a_town(desk: Desk) -> None:
    """Municipality is the first column and the first of every key."""
    for table in READ_MODEL:
        assert next(column.name for column in table.columns) == "municipality"
        assert next(column.name for column in table.primary_key) == "municipality"


async def test_restart_goes_on_where_the_tables_end(desk: Desk) -> None:
    """Another process on the same database knows how far was read."""
    await desk.tell(*night())
    other = Database(desk.url, schema="console")
    async with other.reading() as conn:
        assert (await desk.app.positions.held(conn))["warnings", 0] == len(desk.log["warnings"])
        assert (await conn.execute(sa.select(sa.func.count()).select_from(message))).scalar_one() == 3
    await other.close()
