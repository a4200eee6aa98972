"""Runs that several files look at; each file also stands alone."""

from __future__ import annotations

import pytest

from tests.smoke.outage import Run, broker_stopped

AWAY_S = 30.0


@pytest.fixture(scope="session")
def after_outage() -> Run:
    """A small town whose broker was stopped for half a minute under load."""
    return broker_stopped(AWAY_S)
