"""From ``municipio up`` on a machine that is set up, in an empty folder, until every process is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Final

from bench.cost import watch
from bench.door import MUNICIPIO, ROOT
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from municipio.ports import free_ports

READY_WITHIN_S: Final = 120.0
STOPPED_WITHIN_S: Final = 60.0
BASE_MOST: Final = 58_000


def ours(ground: Ground) -> Measured:
    """Time ``make run`` without its checks of what is installed, and without playing the river."""
    number = ground.kept["starts"] = ground.kept.get("starts", 0) + 1
    words = ["--data", str(ground.folder / f"up-{number}"), "--base-port", str(_base())]
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("MUNICIPIO_")}
    began_s = time.monotonic()
    with subprocess.Popen(
        [MUNICIPIO, "up", *words], stdout=subprocess.PIPE, env=inherited, cwd=ROOT
    ) as process:
        with watch(process.pid) as cost:
            took_s = _until_ready(process, began_s)
        process.send_signal(signal.SIGTERM)
        process.wait(STOPPED_WITHIN_S)
    return Measured(took_s, 1, cost.cpu_s, cost.peak_rss_mb)


def _until_ready(process: subprocess.Popen[bytes], began_s: float) -> float:
    assert process.stdout is not None  # noqa: S101 - asked for above
    for line in process.stdout:
        if line.startswith(b"Ready in"):
            return time.monotonic() - began_s
    raise NotMeasured(f"municipio up ended with {process.wait(READY_WITHIN_S)} before it was ready")


def _base() -> int:
    return next(port for port in free_ports(20) if port < BASE_MOST)


BENCHMARK = Benchmark(name="run_to_ready", unit="s", better="lower", ours=ours, samples_least=1)
