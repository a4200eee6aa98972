"""A process that stands still is ended, once, and nobody else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from municipio.supervision import ProcessInfo
from municipio.watching import LOOK_EVERY_S, STILL_S, Watch


class Town:
    """Two processes and a clock. ``frozen`` do not answer; what is killed has another pid at once."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pids = {"triage": 1, "notify": 2}
        self.frozen: set[str] = set()
        self.killed: list[str] = []
        self.watch = Watch(self, self.pids, lambda name: name not in self.frozen, lambda: self.now_s)

    def info(self) -> list[ProcessInfo]:
        return [ProcessInfo(name, "RUNNING", pid, 0, Path("log")) for name, pid in self.pids.items()]

    def kill(self, process: str) -> int:
        self.killed.append(process)
        self.pids[process] += 10
        return self.pids[process] - 10

    def passes(self, seconds: float) -> list[str]:
        until_s, ended = self.now_s + seconds, []
        while self.now_s < until_s:
            self.now_s += LOOK_EVERY_S
            ended += self.watch.look()
        return ended


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_frozen_process_is_ended_once(town: Town) -> None:
    """The one that starts in its place has all the time that a start takes."""
    assert town.passes(60) == []
    town.frozen = {"notify"}
    assert town.passes(STILL_S - 2 * LOOK_EVERY_S) == []
    assert town.passes(STILL_S * 5) == ["notify"]
    assert town.killed == ["notify"]


def test_a_process_that_is_well_again_in_time_is_left_alone(town: Town) -> None:
    """A busy machine, a long batch: every good answer begins the time anew."""
    town.passes(10)
    for _ in range(5):
        town.frozen = {"triage"}
        assert town.passes(STILL_S - 2 * LOOK_EVERY_S) == []
        town.frozen = set()
        assert town.passes(LOOK_EVERY_S) == []


def test_a_process_that_never_was_well_is_starting(town: Town) -> None:
    """It may wait for a database for hours; ending it would help nobody."""
    town.frozen = {"notify"}
    assert town.passes(3600) == []


def test_a_process_that_does_not_run_is_the_managers(town: Town) -> None:
    """Stopped on purpose, or just being started again."""
    town.passes(10)
    town.pids["triage"], town.frozen = 0, {"triage"}
    assert town.passes(3600) == []
