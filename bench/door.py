"""Ingest's door under a flood, and a door of the same framework that stores nothing."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from bench.cost import watch
from bench.ground import Ground
from bench.harness import Measured, NotMeasured
from municipio.keyring import make_keys
from municipio.ports import free_ports
from tests.support.towns import WrittenTown, write_town

GAUGES: Final = 600
READY_WITHIN_S: Final = 60.0
DONE_WITHIN_S: Final = 240.0
PUBLISHED_WITHIN_S: Final = 120.0
ROOT: Final = Path(__file__).parent.parent
MUNICIPIO: Final = str(Path(sys.executable).parent / "municipio")
Json = dict[str, Any]  # Any: a JSON document


def prepare(ground: Ground) -> None:
    """Write the town whose gauges will speak."""
    ground.kept["town"] = write_town(
        ground.folder / "towns", "rio", zones=GAUGES, residents_per_zone=1, expected_every_s=60
    )


def ours(ground: Ground, *, posts: int, rows: int, connections: int) -> Measured:
    """Flood ingest as deployed on SQLite: every answer after its commit, the relay publishing meanwhile."""
    town: WrittenTown = ground.kept["town"]
    number = ground.kept["doors"] = ground.kept.get("doors", 0) + 1
    folder = ground.folder / f"door-{number}"
    folder.mkdir()
    make_keys(folder / "keys", town.folder.parent)
    (port,) = free_ports(1)
    token, url = secrets.token_hex(8), f"http://127.0.0.1:{port}"
    told = {
        "KAFKA_BOOTSTRAP": ground.kafka.bootstrap,
        "DATA_DIR": str(folder),
        "KEYS_DIR": str(folder / "keys"),
        "MUNICIPALITIES_DIR": str(town.folder.parent),
        "INGEST_DATABASE_URL": f"sqlite:///{folder / 'ingest.sqlite'}",
        "INGEST_PORT": str(port),
        "ADMIN_TOKEN": token,
        "RELAY": "inside",
    }
    admin = {"Authorization": f"Bearer {token}"}
    with running_program(["services.ingest"], folder / "ingest.log", told) as process:
        until_ready(f"{url}/readyz", process, folder / "ingest.log")
        asked = {"municipality": town.id, "name": "bench"}
        key = httpx.post(f"{url}/admin/v1/keys", json=asked, headers=admin, timeout=10).json()["key"]
        with watch(process.pid) as cost:
            done = flooded(url, key, town.sensors, posts=posts, rows=rows, connections=connections)
            behind_s = _until_published(f"{url}/admin/v1/quiescence", admin)
    return _measured(done, cost.cpu_s, cost.peak_rss_mb, posts * rows, {"published_after_s": behind_s})


def bare(ground: Ground, *, posts: int, rows: int, connections: int) -> Measured:
    """Flood a door that parses and validates the same model with the same framework, and answers the same."""
    town: WrittenTown = ground.kept["town"]
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", ground.folder / "bare-door.log"
    with running_program(["bench.baselines.door", "--port", str(port)], log, {}) as process:
        until_ready(f"{url}/readyz", process, log)
        with watch(process.pid) as cost:
            done = flooded(url, "none", town.sensors, posts=posts, rows=rows, connections=connections)
    return _measured(done, cost.cpu_s, cost.peak_rss_mb, posts * rows, {})


def post(how: str, url: str, key: str, gauges: Sequence[str], **more: object) -> list[str]:
    """Return the command of a poster."""
    words = {"url": f"{url}/v1/readings", "key": key, "gauges": ",".join(gauges), **more}
    options = [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [sys.executable, "-m", "bench.poster", how, *options]


def said(done: subprocess.CompletedProcess[str]) -> Json:
    """Return what a program of ours printed.

    Raises:
        NotMeasured: It failed.
    """
    if done.returncode:
        raise NotMeasured(f"{done.args[2]} ended with {done.returncode}: {done.stderr[-1000:]}")
    answer: Json = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def flooded(url: str, key: str, gauges: Sequence[str], **more: int) -> Json:
    command = post("flood", url, key, gauges, **more)
    return said(
        subprocess.run(command, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False, cwd=ROOT)
    )


def _measured(done: Json, cpu_s: float, peak_mb: float, expected: int, more: Mapping[str, float]) -> Measured:
    if done["accepted"] != expected:
        raise NotMeasured(f"{done['accepted']} of {expected} readings were accepted")
    return Measured(expected / done["seconds"], expected, cpu_s, peak_mb, more)


@contextmanager
def running_program(
    words: Sequence[str], log: Path, told: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours with these settings; it is told to end, and is gone, when the block ends."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("MUNICIPIO_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env=inherited | {f"MUNICIPIO_{name}": text for name, text in told.items()},
            stdout=out,
            stderr=out,
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise NotMeasured(f"the door did not open: {log.read_text()[-1000:]}")


def _until_published(url: str, admin: Mapping[str, str]) -> float:
    """Wait until every accepted reading is on its topic; return how long that took."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < PUBLISHED_WITHIN_S:
        if not httpx.get(url, headers=admin, timeout=10).json()["detail"]["unpublished"]:
            return time.monotonic() - began_s
        time.sleep(0.1)
    raise NotMeasured("the relay did not publish what was accepted; is there a broker?")
