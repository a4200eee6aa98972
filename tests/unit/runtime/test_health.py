"""Alive means progress, ready means able to work."""

from __future__ import annotations

import pytest

from services.runtime.health import Health


@pytest.fixture
def now_s() -> list[float]:
    return [0.0]


@pytest.fixture
def health(now_s: list[float]) -> Health:
    return Health("testing", lambda: now_s[0])


def test_a_part_without_progress_makes_the_process_dead(health: Health, now_s: list[float]) -> None:
    """A hung handler is found although the process answers; a beat brings it back."""
    health.beat("relay", within_s=20)
    now_s[0] = 20
    assert health.alive().is_well
    now_s[0] = 21
    assert health.alive().troubles == {"relay": "no progress, overdue by 1 s"}
    assert not health.ready().is_well
    health.beat("relay")
    assert health.alive().is_well


def test_a_part_that_rests_owes_nothing(health: Health, now_s: list[float]) -> None:
    """What ended on purpose does not kill the process."""
    health.beat("import")
    health.rest("import")
    now_s[0] = 1000
    assert health.alive().is_well


def test_a_failed_part_makes_it_unready_until_cleared(health: Health) -> None:
    """The last reason counts."""
    health.fail("database", "away")
    health.fail("database", "still away")
    assert health.ready().troubles == {"database": "still away"}
    assert health.alive().is_well
    health.clear("database")
    health.clear("database")
    assert health.ready().is_well
