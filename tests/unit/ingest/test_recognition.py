"""What comes again is recognised, however it was kept: in order, late, corrected, by its own id."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.normalise import Reading
from services.ingest.domain.series import Outcome, enrol
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.runtime.database import Database
from tests.support.migrated import migrated
from tests.unit.ingest.conftest import CATALOGUE, START, reading


async def take(db: Database, acceptance: Acceptance, rows: list[Reading]) -> Counter[Outcome]:
    async with db.transaction() as conn:
        delivery = Delivery("alta", "red", tuple(rows))
        [counts] = await acceptance.accept(conn, [delivery], received_at=START, stored_at=START)
        return counts


async def test_everything_that_comes_again_is_a_duplicate(db: Database, acceptance: Acceptance) -> None:
    """Many at once, in the middle of a run, late ones, a correction and one with an id of its own."""
    named = msgspec.structs.replace(reading(5.0, minute=90), event_id="e-1")
    commits = [
        [
            reading(minute / 10, minute, sensor)
            for minute in range(20, 80, 2)
            for sensor in ("rio-1", "rio-2")
        ],
        [reading(9.0, 31), reading(8.0, 3, "rio-2")],
        [reading(7.0, 40), named],
        [reading(6.0, 100)],
    ]
    for rows in commits:
        await take(db, acceptance, rows)
    again = [each for rows in reversed(commits) for each in rows]

    assert Counter(duplicate=len(again)) == await take(db, acceptance, again)
    assert Counter(accepted=1, correction=1) == await take(
        db, acceptance, [reading(1.0, 33), reading(1.0, 78)]
    )


one = st.builds(
    lambda value, minute, sensor, event_id: msgspec.structs.replace(
        reading(value, minute, sensor), event_id=event_id
    ),
    st.sampled_from([1.0, 2.0]),
    st.integers(0, 8),
    st.sampled_from(["rio-1", "rio-2"]),
    st.sampled_from([None, None, None, "a", "b"]),
)


@settings(max_examples=40, deadline=None)
@given(commits=st.lists(st.lists(one, min_size=1, max_size=8), max_size=6))
async def test_however_split_into_commits_the_outcomes_are_those_of_one_memory(
    commits: list[list[Reading]],
) -> None:
    """The database knows what a process that forgets nothing would know."""
    expected = enrol([each for rows in commits for each in rows], {}, {}).outcomes
    with TemporaryDirectory() as folder:
        db = Database(migrated(f"sqlite:///{Path(folder) / 'ingest.sqlite'}", "ingest"))
        acceptance, start = Acceptance(CATALOGUE), 0
        for rows in commits:
            assert Counter(expected[start : start + len(rows)]) == await take(db, acceptance, rows)
            start += len(rows)
        await db.close()
