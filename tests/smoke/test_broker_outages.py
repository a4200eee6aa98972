"""Kafka goes away under load, or comes after everything else: nothing is lost and nobody lifts a hand."""

from __future__ import annotations

import pytest

from tests.smoke.outage import Run, broker_late

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(600)]

LATE_S = 15.0
DRAINED_WITHIN_S = 60.0


def assert_unharmed(run: Run) -> None:
    """What every outage must leave: all readings taken, all processes the same, nothing lost or repeated."""
    assert {202} == set(run.answers)
    assert run.pids_before == run.pids_after
    assert run.drained_s <= DRAINED_WITHIN_S
    report = run.report
    assert (0, 0, 0) == (report.lost, report.duplicates, report.unexpected), dict(report.said)
    assert report.incidents >= 10
    assert report.messages >= 40


def test_broker_stopped_for_half_a_minute_under_load(after_outage: Run) -> None:
    """Ingest goes on answering 2xx, and within a minute of the return all was decided."""
    assert_unharmed(after_outage)


def test_broker_that_comes_after_the_services() -> None:
    """Readings are taken before there is a broker; the services find it by themselves."""
    assert_unharmed(broker_late(LATE_S))
