"""A code that a phone is asked for is good for as long as it rings, and means one thing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.notify.outbound import codes
from tests.unit.notify.flow_rig import START, Rig, rig

HOUR = timedelta(hours=1)
KEY = b"k" * 32


@pytest.fixture
async def notify(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def give(notify: Rig, subject: str, *, after: timedelta = timedelta()) -> str:
    at = START + after
    async with notify.app.db.transaction() as conn:
        return await codes.give(
            conn,
            notify.town,
            KEY,
            ("alert", subject),
            "ana",
            incident_id="inc-1",
            at=at,
            expires_at=at + 12 * HOUR,
        )


async def meant(notify: Rig, digits: str, *, after: timedelta = timedelta()) -> str | None:
    async with notify.app.db.transaction() as conn:
        found = await codes.match(conn, notify.town, "ana", digits, START + after)
    return found.subject_id if found else None


async def test_a_page_that_rings_on_keeps_its_code_alive(notify: Rig) -> None:
    """Thirteen hours after the first ring the newest one is an hour old."""
    first = await give(notify, "a1")
    assert first == await give(notify, "a1", after=12 * HOUR)
    assert "a1" == await meant(notify, first, after=13 * HOUR)
    assert await meant(notify, first, after=25 * HOUR) is None


async def test_a_code_that_holds_again_is_no_other_of_the_phone(
    notify: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first was over, its digits were free for another question; a yes must not mean two."""
    drawn = iter(("1111", "1111", "1111", "2222"))
    monkeypatch.setattr(codes.names, "four_digits", lambda *_: next(drawn))
    assert "1111" == await give(notify, "a1")
    async with notify.app.db.transaction() as conn:
        await codes.close(conn, notify.town, ["a1"], START)
    assert "1111" == await give(notify, "a2")
    assert "2222" == await give(notify, "a1")
    assert "a2" == await meant(notify, "1111")
    assert "a1" == await meant(notify, "2222")


async def test_a_code_that_holds_again_stays_what_it_was_where_it_can(notify: Rig) -> None:
    """The text with it may still lie before the person."""
    first = await give(notify, "a1")
    async with notify.app.db.transaction() as conn:
        await codes.close(conn, notify.town, ["a1"], START)
    assert first == await give(notify, "a1", after=HOUR)
    assert "a1" == await meant(notify, first, after=2 * HOUR)


async def test_a_code_that_holds_again_is_not_locked_for_old_guesses(notify: Rig) -> None:
    """Whoever guessed wrong about what is over must be able to answer what is asked now."""
    first = await give(notify, "a1")
    async with notify.app.db.transaction() as conn:
        for _ in range(codes.MOST_GUESSES):
            await codes.wrong_guess(conn, notify.town, "ana", START)
        assert await codes.is_locked(conn, notify.town, "ana", START)
        await codes.close(conn, notify.town, ["a1"], START)
    assert first == await give(notify, "a1", after=HOUR)
    assert "a1" == await meant(notify, first, after=HOUR)
