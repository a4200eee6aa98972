"""One sensor's way through a block of readings: how far it is quiet, when its silence falls due. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from municipio.backtest.town import Town
from municipio.blocks import Flags, Floats, Ints, moment_of, us_of
from schemas.fingerprint import MICROSECOND
from services.ingest.domain.sensors import KnownSensor
from services.triage.domain.calm import Calm
from services.triage.domain.silence import TICK
from services.triage.domain.state import Kept, SensorState
from services.triage.domain.stretch import stretch_most

NEVER_US: Final = np.iinfo(np.int64).max // 2
TICK_US: Final = TICK // MICROSECOND


class Lane:
    """One sensor's way through a block.

    Attributes:
        after_us: The least silence that a rule looks for.
        lateness_us: What is older than the newest by more leaves the window.
        times_us, values, stops: Its readings in this block; ``stops``: not quiet, whatever the values say.
        at: The first of them that was not yet folded.
        turn: Counts its stops; an older one means nothing any more.
    """

    __slots__ = (
        "after_us", "at", "lateness_us", "place", "sensor", "silences", "stops", "times_us", "turn", "values",
    )  # fmt: skip

    def __init__(self, place: int, town: Town, sensor: KnownSensor) -> None:
        self.place = place
        rules = town.book.sensors.get(sensor.sensor_id)
        self.sensor = sensor
        self.silences = rules.silences if rules else ()
        self.after_us = min((rule.after // MICROSECOND for rule in self.silences), default=NEVER_US)
        self.lateness_us = rules.lateness // MICROSECOND if rules else 0
        self.turn = 0
        self.enter(_NO_INTS, _NO_FLOATS, _NO_FLAGS)

    def enter(self, times_us: Ints, values: Floats, stops: Flags) -> None:
        self.times_us, self.values, self.stops, self.at = times_us, values, stops, 0

    def quiet_until(self, calm: Calm | None) -> int:
        """Return the place of the first reading from here on that is not certain to change nothing."""
        at = self.at
        end = min(len(self.times_us), at + (stretch_most(calm) if calm is not None else 0))
        if calm is None or at >= end:
            return at
        if self.times_us[at] - us_of(calm.newest) > self.after_us + TICK_US:
            return at
        end = int(self.times_us[:end].searchsorted(us_of(calm.until), "right"))
        if at >= end:
            return at
        values = self.values[at:end]
        loud = (values < calm.low) | (values >= calm.high) | self.stops[at:end]
        first = int(loud.argmax())
        return at + first if loud[first] else end

    def due_us(self, state: SensorState | None, looked_us: int) -> int:
        """Return when a tick may find it silent if nothing more is heard; earlier ones were looked at."""
        since = None if state is None else state.newest[0] if state.newest else state.watched_from
        if state is None or since is None:
            return NEVER_US
        begin_us = us_of(since) + TICK_US
        dues = [begin_us + rule.after // MICROSECOND for rule in self.silences if rule.id not in state.silent]
        return min((due for due in dues if due >= looked_us), default=NEVER_US)

    def kept(self, begin: int, end: int, first_n: int) -> list[Kept]:
        """Return the readings from ``begin`` up to ``end`` that the last of them leaves in the window."""
        oldest_us = int(self.times_us[end - 1]) - self.lateness_us
        first = max(begin, int(self.times_us.searchsorted(oldest_us, "left")))
        moments = [moment_of(us) for us in self.times_us[first:end].tolist()]
        values = self.values[first:end].tolist()
        numbers = range(first_n + first - begin, first_n + end - begin)
        return [(at, n, value, at) for at, n, value in zip(moments, numbers, values, strict=True)]


_NO_INTS: Final[Ints] = np.empty(0, np.int64)
_NO_FLOATS: Final[Floats] = np.empty(0, np.float64)
_NO_FLAGS: Final[Flags] = np.empty(0, np.bool_)
