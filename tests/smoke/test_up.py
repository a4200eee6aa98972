"""`municipio up` starts everything, says what is in its way, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from municipio.ports import Ports, is_taken

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60
STOPPED_WITHIN_S = 40


def free_base() -> int:
    """A base below the ephemeral ports, so that no client's socket takes one of ours meanwhile."""
    for base in random.sample(range(12_000, 30_000, 50), 50):
        if not any(is_taken(port) for port in asdict(Ports.from_base(base)).values()):
            return base
    pytest.fail("no free ports")


def command(data: Path, base: int) -> list[str]:
    words = ["up", "--json", "--data", str(data), "--base-port", str(base)]
    return [sys.executable, "-c", "from municipio.cli import main; main()", *words]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MUNICIPIO_")}


@contextmanager
def up(data: Path, base: int) -> Iterator[subprocess.Popen[str]]:
    """A running copy; killed where a test left it."""
    process = subprocess.Popen(
        command(data, base),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOPPED_WITHIN_S)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def ready(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    said: dict[str, object] = json.loads(line)
    return said


def refused(data: Path, base: int) -> tuple[int, str]:
    done = subprocess.run(
        command(data, base),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.strip()


def belonging_to(data: Path) -> list[str]:
    """Command lines of processes that still know this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(data).encode() in told:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def left_in(data: Path) -> list[str]:
    return [
        str(path) for path in data.rglob("*") if path.suffix in {".lock", ".sock", ".pid"} or path.is_socket()
    ]


def assert_refused(data: Path, base: int) -> None:
    """The same folder, or the same ports: one sentence, exit 3."""
    for code, said in (refused(data, free_base()), refused(data.with_name("other"), base)):
        assert (3, 1) == (code, len(said.splitlines())), said
        assert "in use" in said


def test_up_refuses_a_second_copy_stops_on_ctrl_c_runs_again_and_dies_with_its_starter(
    tmp_path: Path,
) -> None:
    """Whatever ends it, no process is left; after Ctrl-C no lock, socket or port either."""
    data, base = tmp_path / "copy", free_base()
    with up(data, base) as first:
        assert "municipio/up/1" == ready(first)["schema"]
        assert_refused(data, base)
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        assert 130 == first.wait(STOPPED_WITHIN_S)
    assert ([], []) == (belonging_to(data), left_in(data))
    assert not [port for port in asdict(Ports.from_base(base)).values() if is_taken(port)]
    with up(data, base) as second:
        ready(second)
        second.kill()
        second.wait()
        until = time.monotonic() + STOPPED_WITHIN_S
        while belonging_to(data) and time.monotonic() < until:
            time.sleep(0.2)
    assert [] == belonging_to(data)
