"""The process manager: what we write for it, and that it restarts and leaves nothing."""

from __future__ import annotations

import configparser
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from municipio.errors import DependencyDown
from municipio.supervision import Program, Supervision, render

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def read(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def test_every_program_restarts_for_ever_and_stops_as_a_group(tmp_path: Path) -> None:
    """A killed process comes back however often; a stopped one takes its children along."""
    conf = read(render([Program("triage", ["x"])], tmp_path, tmp_path, tmp_path / "s"))
    section = conf["program:triage"]
    assert "true" == section["autorestart"] == section["stopasgroup"] == section["killasgroup"]
    assert int(section["startretries"]) >= 1_000_000


def test_services_stop_before_the_broker(tmp_path: Path) -> None:
    """Supervisor stops the group with the highest priority number first."""
    programs = [Program("kafka", ["x"], group="broker"), Program("triage", ["x"])]
    conf = read(render(programs, tmp_path, tmp_path, tmp_path / "s"))
    assert int(conf["group:broker"]["priority"]) < int(conf["group:town"]["priority"])


def test_percent_and_quotes_survive_the_configuration(tmp_path: Path) -> None:
    """Supervisor expands percent signs; a path with one must arrive as it is."""
    program = Program("triage", ["run", "a b%c"], environment={"MUNICIPIO_X_FILE": '/v%1/"k"'})
    section = read(render([program], tmp_path, tmp_path, tmp_path / "s"))["program:triage"]
    assert "run 'a b%%c'" == section["command"]
    assert r'MUNICIPIO_X_FILE="/v%%1/\"k\""' == section["environment"]


def test_a_killed_process_comes_back_and_stop_leaves_nothing(tmp_path: Path) -> None:
    """Kill -9 brings a new pid; after stop there is no process, no socket and no pid file."""
    folder = tmp_path / "supervisor"
    supervision = Supervision([Program("sleeper", SLEEPER)], folder, tmp_path / "logs")
    supervision.start(dict(os.environ))
    try:
        first = wait_for(lambda: running_pid(supervision))
        time.sleep(1.1)  # Below supervisor's start-up second a death counts as a failed start and waits.
        assert first == supervision.kill("sleeper")
        second = wait_for(lambda: running_pid(supervision, other_than=first))
    finally:
        supervision.stop()
    assert not Path(f"/proc/{second}").exists()
    assert [] == [path.name for path in folder.iterdir() if path.suffix in {".sock", ".pid"}]
    assert "up" in (tmp_path / "logs" / "sleeper.log").read_text()


def test_a_long_path_moves_the_socket_elsewhere(tmp_path: Path) -> None:
    """A Unix socket's path has 108 bytes; a deep folder must not stop the start."""
    folder = tmp_path / ("deep" * 30) / "supervisor"
    supervision = Supervision([Program("sleeper", SLEEPER)], folder, tmp_path / "logs")
    supervision.start(dict(os.environ))
    try:
        assert "sleeper" == supervision.processes()[0].name
    finally:
        supervision.stop()


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A command that does not exist shows as not running, with no exception from the manager."""
    supervision = Supervision([Program("ghost", ["/nowhere/ghost"])], tmp_path / "s", tmp_path / "logs")
    supervision.start(dict(os.environ))
    try:
        assert 0 == supervision.processes()[0].pid
    finally:
        supervision.stop()


def test_asking_a_manager_that_never_started(tmp_path: Path) -> None:
    """The answer is a sentence, not a socket error."""
    supervision = Supervision([Program("sleeper", SLEEPER)], tmp_path / "s", tmp_path / "logs")
    with pytest.raises(DependencyDown, match="does not run"):
        supervision.processes()


def running_pid(supervision: Supervision, other_than: int = 0) -> int:
    info = supervision.processes()[0]
    return info.pid if info.pid not in {0, other_than} and info.state in {"STARTING", "RUNNING"} else 0


def wait_for(found: Callable[[], int], within_s: float = 10.0) -> int:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if pid := found():
            return pid
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")
