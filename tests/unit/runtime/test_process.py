"""How a process ends: told, wrong, or broken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from services.runtime.errors import AlreadyRunning, WrongSetting
from services.runtime.process import run, together


async def _fails(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongSetting("MUNICIPIO_X: is required"), 2),
        (AlreadyRunning("another process"), 1),
        (KeyError("broken"), 70),
    ],
)
def test_the_exit_status_says_whose_fault(capsys, error: Exception, code: int) -> None:
    """2 the settings', 1 a second process, 70 ours."""
    with pytest.raises(SystemExit) as ended:
        run(lambda _stop: _fails(error))
    assert ended.value.code == code
    if code != 70:
        assert capsys.readouterr().err == f"{error}\n"


def test_sigterm_ends_in_order() -> None:
    """What must be finished is finished, and the status is 0."""
    program = (
        "import asyncio\n"
        "from services.runtime.process import run\n"
        "async def main(stop):\n"
        "    print('up', flush=True)\n"
        "    await stop.wait()\n"
        "    print('done', flush=True)\n"
        "run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        os.kill(child.pid, signal.SIGTERM)
        assert child.stdout.read() == "done\n"
    assert child.returncode == 0


def test_blocked_loop_ends_the_process() -> None:
    """Whoever restarts it finds where it stood; a loop that only waits is left alone."""
    program = (
        "import asyncio, time\n"
        "from services.runtime import process\n"
        "process.BLOCKED_S, process.BEAT_S = 0.5, 0.05\n"
        "async def main(stop):\n"
        "    await asyncio.sleep(1)\n"
        "    print('waited', flush=True)\n"
        "    time.sleep(60)\n"
        "process.run(main)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "waited\n")
    assert "line 7 in main" in ended.stderr


async def test_parts_end_together() -> None:
    """One that fails ends the others, which may clean up, and its error is told."""
    cleaned = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    stop = asyncio.Event()
    with pytest.raises(KeyError):
        await together(stop, endless(), _fails(KeyError("broken")))
    assert cleaned == [True]
    assert stop.is_set()


async def test_parts_end_when_told() -> None:
    """Without an error."""
    stop = asyncio.Event()
    running = asyncio.create_task(together(stop, asyncio.Event().wait()))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 5)
