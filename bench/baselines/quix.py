"""quixstreams with its state store, one reading a record; runs in an environment of its own."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from quixstreams import Application, State

from bench.baselines.rule import level_after
from bench.baselines.task import Task, Timer, answering, task


def main(told: Task, timer: Timer, folder: str) -> None:
    app = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
    )

    def fold(reading: dict[str, Any], state: State) -> dict[str, Any] | None:  # Any: JSON
        level, before = state.get("river", (0, float("-inf")))
        after = level_after(level, before, reading["value"])
        state.set("river", (after, reading["value"]))
        if after == level:
            return None
        return {
            "sensor_id": reading["sensor_id"],
            "from": level,
            "to": after,
            "observed_at": reading["observed_at"],
        }

    readings = app.dataframe(app.topic(told.topic, value_deserializer="json"))
    changes = readings.apply(fold, stateful=True).filter(lambda change: change is not None)
    changes.to_topic(app.topic(told.out, value_serializer="json"))
    timer.began()
    app.run(count=told.count)
    timer.ended()


if __name__ == "__main__":
    with answering() as timer, tempfile.TemporaryDirectory() as folder:
        main(task(), timer, folder)
    sys.exit(0)
