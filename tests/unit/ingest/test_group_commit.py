"""Concurrent requests share a commit; each is answered after it."""

import asyncio
from collections.abc import Sequence

import pytest

from services.ingest.errors import QueueFull
from services.ingest.inbound.group_commit import GroupCommit
from services.runtime.errors import DatabaseDown


class Commits:
    """Stands for the database: holds commits until released, and remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if 13 in group:
            raise ValueError("thirteen cannot be stored")
        return [each * 10 for each in group]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_during_a_commit_shares_the_next() -> None:
    """The first waits for nobody, the others for one commit together."""
    commits = Commits()
    group = GroupCommit(commits, lambda _: 1)
    first = asyncio.create_task(group.submit(1))
    await settle()
    others = [asyncio.create_task(group.submit(each)) for each in (2, 3, 4)]
    await settle()
    assert not first.done()
    commits.gate.set()

    assert [10, 20, 30, 40] == await asyncio.gather(first, *others)
    assert [[1], [2, 3, 4]] == commits.groups
    assert group.busy == 0


async def test_group_has_a_bound_but_a_large_request_passes_alone() -> None:
    """Bounds hold per transaction; no request is too large for them for ever."""
    commits = Commits()
    commits.gate.set()
    group = GroupCommit(commits, lambda each: each, group_most=5, waiting_most=100)
    tasks = [asyncio.create_task(group.submit(each)) for each in (1, 3, 2, 9)]

    assert [10, 30, 20, 90] == await asyncio.gather(*tasks)
    assert [[1, 3], [2], [9]] == commits.groups


async def test_full_queue_refuses_at_once() -> None:
    """Nothing of the refused request is stored, and the source is told to come again."""
    commits = Commits()
    group = GroupCommit(commits, lambda _: 1, waiting_most=2)
    tasks = [asyncio.create_task(group.submit(each)) for each in (1, 2)]
    await settle()
    with pytest.raises(QueueFull):
        await group.submit(3)
    commits.gate.set()

    assert [10, 20] == await asyncio.gather(*tasks)


async def test_database_away_refuses_the_whole_group() -> None:
    """Nobody gets a false yes; the next group is tried again."""
    commits = Commits()
    commits.gate.set()
    commits.error = DatabaseDown("away")
    group = GroupCommit(commits, lambda _: 1)
    outcomes = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    commits.error = None

    assert [DatabaseDown, DatabaseDown] == [type(outcome) for outcome in outcomes]
    assert await group.submit(3) == 30


async def test_request_that_cannot_be_stored_does_not_take_others_with_it() -> None:
    """The group is tried again one by one."""
    commits = Commits()
    commits.gate.set()
    group = GroupCommit(commits, lambda _: 1)
    outcomes = await asyncio.gather(*map(group.submit, (1, 13, 2)), return_exceptions=True)

    assert [10, 20] == [outcomes[0], outcomes[2]]
    assert isinstance(outcomes[1], ValueError)


async def test_client_that_went_away_stops_nobody() -> None:
    """Its reading may be stored; sent again it is a duplicate."""
    commits = Commits()
    group = GroupCommit(commits, lambda _: 1)
    gone, stays = asyncio.create_task(group.submit(1)), asyncio.create_task(group.submit(2))
    await settle()
    gone.cancel()
    commits.gate.set()
    await group.drained()

    assert await stays == 20
