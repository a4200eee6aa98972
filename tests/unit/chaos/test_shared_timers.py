"""How R16 judges firings: missed, twice, made up, late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.chaos.r16 import Verdict, judged

AT = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
DUE = {f"t-{number}": AT for number in range(100)}
FIRED = [(subject, AT + timedelta(seconds=0.2)) for subject in DUE]


def test_each_fired_once() -> None:
    """Nothing to say, but how late."""
    assert Verdict(missed=0, double=0, unknown=0, late_p99_s=0.2) == judged(DUE, FIRED)


def test_missed_twice_and_made_up() -> None:
    """Each is counted for itself."""
    fired = [*FIRED[2:], FIRED[5], FIRED[5], ("t-x", AT)]
    verdict = judged(DUE, fired)
    assert (2, 2, 1) == (verdict.missed, verdict.double, verdict.unknown)


def test_lateness_of_one_in_a_hundred() -> None:
    """A single late one in a hundred is let off, two are not."""
    late = [(subject, AT + timedelta(seconds=9)) for subject, _ in FIRED]
    assert 0.2 == judged(DUE, [*FIRED[1:], late[0]]).late_p99_s
    assert 9.0 == judged(DUE, [*FIRED[2:], *late[:2]]).late_p99_s
