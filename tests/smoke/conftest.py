"""Runs that several files look at; each file also stands alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.smoke.outage import Run, broker_stopped

AWAY_S = 30.0
HERE = Path(__file__).parent
# These mostly wait. They share a run or a core; beside them the rest of the folder goes one by one.
SLOW = {"test_broker_outages.py", "test_no_number_in_any_log.py", "test_guaiba_through_the_whole_system.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each file its process, where tests run in several: never more than two systems at a time."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("slow" if item.path.name in SLOW else "smoke"))


@pytest.fixture(scope="session")
def after_outage() -> Run:
    """A small town whose broker was stopped for half a minute under load."""
    return broker_stopped(AWAY_S)
