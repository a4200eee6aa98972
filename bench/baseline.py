"""Run a baseline in a process of its own and hold what it found against the reference."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.ground import Ground
from bench.harness import Measured, NotMeasured
from bench.load import Change, Load, check_changes
from bench.topics import make_topic, records

WITHIN_S: Final = 400.0


def fold(
    ground: Ground, load: Load, module: str, topic: str, *, interpreter: Path = Path(sys.executable)
) -> Measured:
    """Let ``bench.baselines.<module>`` fold the readings of ``topic``.

    Raises:
        NotMeasured: It failed, or found something else than the reference.
    """
    number = ground.kept["baselines"] = ground.kept.get("baselines", 0) + 1
    out = f"bench.changes.{number}"
    make_topic(ground.kafka.bootstrap, out)
    told = {
        "bootstrap": ground.kafka.bootstrap,
        "topic": topic,
        "out": out,
        "group": f"bench.{module}.{uuid.uuid4()}",
        "count": load.count,
    }
    words = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [interpreter, "-m", f"bench.baselines.{module}", *words],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise NotMeasured(f"baseline {module} ended with {done.returncode}: {done.stderr[-1000:]}")
    took: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    check_changes(load, _moved(ground.kafka.bootstrap, out), f"baseline {module}")
    return Measured(load.count / took["seconds"], load.count, took["cpu_s"], took["peak_rss_mb"])


def _moved(bootstrap: str, out: str) -> Iterator[Change]:
    for message in records(bootstrap, out, dict.fromkeys(range(6), 0)):
        row: dict[str, Any] = json.loads(message.value() or b"")
        yield row["sensor_id"], row["from"], row["to"], datetime.fromisoformat(row["observed_at"])
