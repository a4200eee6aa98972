"""What the broker would skip is read again, and nothing is read again that is only on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.console.inbound.following import Following
from tests.unit.console.rig import Desk, night


class Reader:
    """A consumer that says where it stands and notes where it is sent."""

    def __init__(self, topic: str, position: int, end: int) -> None:
        self.topic = topic
        self.stands = {(topic, 0): (position, end)}
        self.sent: list[dict[tuple[str, int], int]] = []

    async def positions(self) -> dict[tuple[str, int], tuple[int, int]]:
        return self.stands

    def read_from(self, places: dict[tuple[str, int], int]) -> None:
        self.sent.append(places)


@pytest.fixture
async def desk(tmp_path: Path):
    made = Desk(tmp_path)
    await made.app.start()
    yield made
    await made.app.db.close()


async def test_lost_tables_are_noticed_without_a_new_record(desk: Desk) -> None:
    """At the second look: a batch that is being handled also stands ahead for a moment."""
    reader = Reader("warnings", 7, 7)
    following = Following(desk.app.db, desk.app.positions)
    following.consumers = [reader]
    await following.look()
    assert reader.sent == []
    await following.look()
    assert reader.sent == [{("warnings", 0): 0}]
    assert await following.behind() == {"warnings": 7}


async def test_progress_between_two_looks_is_no_loss(desk: Desk) -> None:
    """Who is reading is left to read."""
    reader = Reader("incidents", 3, 3)
    following = Following(desk.app.db, desk.app.positions)
    following.consumers = [reader]
    events = [each for each in night() if each.topic == "incidents"]
    for each in events:
        await following.look()
        await desk.tell(each)
    await following.look()
    await following.look()
    assert reader.sent == []
    assert await following.behind() == {"incidents": 0}


async def test_nobody_can_say_without_a_broker(desk: Desk) -> None:
    """Unknown is not zero."""
    reader = Reader("tasks", 0, 0)
    reader.stands = {}
    desk.app.following.consumers = [reader]
    assert await desk.app.following.behind() == {"tasks": -1}
