"""A copy takes its folder and ports, and says in one sentence what stands in its way."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path

import pytest

from municipio.errors import DependencyDown
from municipio.ports import Ports
from municipio.stack import Stack, last_line


def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "data", ports=Ports.free(), municipalities_dir=tmp_path)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """The sentence names the folder and the process that holds it."""
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "up.lock").open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DependencyDown, match=r"data is in use .*4711"):
            stack(tmp_path).start()


def test_a_port_in_use_is_refused_and_leaves_no_lock(tmp_path: Path) -> None:
    """The sentence names process and port, and the folder is free again."""
    second = stack(tmp_path)
    with (
        socket.create_server(("127.0.0.1", second.copy.ports.triage)),
        pytest.raises(DependencyDown, match=f"triage {second.copy.ports.triage}"),
    ):
        second.start()
    assert [] == [*(tmp_path / "data").glob("*.lock")]


def test_stopping_what_never_started_is_harmless(tmp_path: Path) -> None:
    """Ctrl-C may come at any moment."""
    stack(tmp_path).stop()


def test_the_last_line_of_a_log_is_what_a_person_reads(tmp_path: Path) -> None:
    """Or that there is none."""
    (tmp_path / "a.log").write_text("one\ntwo\n")
    assert ("two", "it wrote nothing") == (last_line(tmp_path / "a.log"), last_line(tmp_path / "b.log"))
