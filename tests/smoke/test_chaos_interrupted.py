"""A chaos run that is interrupted leaves neither processes nor data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from municipio.paths import ROOT

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(300)]

STARTS_WITHIN_S = 150.0
INTO_THE_LOAD_S = 3.0


def of_the_run(folder: Path) -> list[str]:
    """Return the command lines of all processes that were told of the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue  # Ended meanwhile, or somebody else's.
        if os.fsencode(folder) in told and process.name != str(os.getpid()):
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "told to end"])
def test_interrupted_run_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    """In the middle of the load, with every process running."""
    command = [sys.executable, "-m", "tests.chaos", "--faults", "R1", "--databases", "sqlite"]
    with (tmp_path / "said").open("w+") as said:
        run = subprocess.Popen(
            [*command, "--folder", str(tmp_path / "runs")], cwd=ROOT, stderr=said, start_new_session=True
        )
        try:
            until_s = time.monotonic() + STARTS_WITHIN_S
            while "readings" not in (tmp_path / "said").read_text():
                assert run.poll() is None, "the run ended before its load"
                assert time.monotonic() < until_s, "the run did not come to its load"
                time.sleep(0.2)
            time.sleep(INTO_THE_LOAD_S)
            assert len(of_the_run(tmp_path / "runs")) >= 7
            os.killpg(run.pid, how)
            assert 130 == run.wait(60)
        finally:
            run.kill()
    assert [] == of_the_run(tmp_path / "runs")
    assert [] == list((tmp_path / "runs").iterdir())
