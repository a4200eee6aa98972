"""Play a recording in blocks: quiet stretches in one step, everything else one moment after the other.

Between moments at which something may change, a sensor's readings bear on nobody but itself. So each sensor
has a lane of its own through a block; it stops where a reading is not certain to be quiet, and where a tick
may find a silence. At a stop the town lives through that moment as it does row by row.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from municipio.backtest.intake import Intake
from municipio.backtest.town import Town
from municipio.columns import ODD, Block, Floats, Ints, Name, us_of
from municipio.profiles import played_at
from municipio.rows import Recorded
from schemas.fingerprint import EPOCH, MICROSECOND
from services.ingest.domain.normalise import EARLIEST
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.units import Conversion
from services.triage.domain.calm import Calm
from services.triage.domain.inputs import Reading
from services.triage.domain.silence import TICK
from services.triage.domain.state import Kept, SensorState
from services.triage.domain.stretch import fold_stretch, stretch_most

UNKNOWN: Final = -2
"""In place of a lane: the town knows no such sensor."""
NEVER_US: Final = np.iinfo(np.int64).max // 2
_TICK_US: Final = TICK // MICROSECOND
_ORDINARY_MOST: Final = 1e300
"""A larger value may leave what a number can hold when its unit changes."""
_EARLIEST_US: Final = us_of(EARLIEST)


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

    def enter(self, times_us: Ints, values: Floats, stops: NDArray[np.bool_]) -> None:
        self.times_us, self.values, self.stops, self.at = times_us, values, stops, 0

    def quiet_until(self, calm: Calm | None) -> int:
        """Return the place of the first reading from here on that is not certain to change nothing."""
        at = self.at
        end = min(len(self.times_us), at + (stretch_most(calm) if calm is not None else 0))
        if calm is None or at >= end:
            return at
        if self.times_us[at] - us_of(calm.newest) > self.after_us + _TICK_US:
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
        begin_us = us_of(since) + _TICK_US
        dues = [begin_us + rule.after // MICROSECOND for rule in self.silences if rule.id not in state.silent]
        return min((due for due in dues if due >= looked_us), default=NEVER_US)


class QuickPlay:
    """Plays blocks into a town."""

    def __init__(self, town: Town, intake: Intake) -> None:
        self._town, self._intake = town, intake
        self._lanes: list[Lane] = []
        self._lane_of: dict[str, int] = {}
        self._names: Sequence[Name] = ()
        self._lane_of_series: list[int] = []
        self._changes: list[tuple[int, Conversion]] = []
        self._looked_us = 0
        for sensor_id in town.watched:
            self._lane(intake.sensor(sensor_id))

    def play(self, block: Block) -> None:
        """Live through a block."""
        self._name(block)
        at_us, value = block.at_us, self._canonical(block)
        lanes = np.array([*self._lane_of_series, ODD])[block.series]  # ODD, which is -1, finds itself.
        lanes[(at_us < _EARLIEST_US) | (np.abs(value) > _ORDINARY_MOST)] = ODD
        by_row = self._enter(at_us, lanes, value)
        unknown = at_us[lanes == UNKNOWN]
        self._intake.pass_by(int(np.count_nonzero(~_among(unknown, np.array(list(by_row), np.int64)))))
        lane_of = {sensor_id: self._lanes[place] for sensor_id, place in self._lane_of.items()}
        Passage(self._town, self._intake, lane_of, block, by_row, self._looked_us).live()
        self._looked_us = int(at_us[-1])

    def _name(self, block: Block) -> None:
        """Find the lane of each series that is new; another file has other series."""
        if block.names is not self._names:
            self._names, self._lane_of_series, self._changes = block.names, [], []
        for series in range(len(self._lane_of_series), len(block.names)):
            door = self._intake.door(*block.names[series])
            if not door.is_open:
                self._lane_of_series.append(ODD)
            elif door.sensor is None:
                self._lane_of_series.append(UNKNOWN)
            else:
                self._lane_of_series.append(self._lane(door.sensor))
                if door.change is not None:
                    self._changes.append((series, door.change))

    def _lane(self, sensor: KnownSensor) -> int:
        if sensor.sensor_id not in self._lane_of:
            self._lane_of[sensor.sensor_id] = len(self._lanes)
            self._lanes.append(Lane(len(self._lanes), self._town, sensor))
        return self._lane_of[sensor.sensor_id]

    def _canonical(self, block: Block) -> Floats:
        value = block.value + 0.0
        for series, change in self._changes:
            mine = block.series == series
            value[mine] = [_changed(change, each) + 0.0 for each in value[mine].tolist()]
        return value

    def _enter(self, at_us: Ints, lanes: Ints, value: Floats) -> dict[int, tuple[int, int]]:
        """Give each lane its readings; return the moments that are lived row by row, from where to where.

        Those are the moments with an odd row, or with two rows of one sensor: a repeat or a correction.
        """
        order = np.argsort(lanes, kind="stable")
        sorted_lanes, times_us = lanes[order], at_us[order]
        follows = (sorted_lanes[1:] == sorted_lanes[:-1]) & (sorted_lanes[1:] >= 0)
        apart_us = np.diff(times_us)
        twice = times_us[1:][follows & (apart_us == 0)]
        by_row = np.array(sorted({*twice.tolist(), *at_us[lanes == ODD].tolist()}), np.int64)
        after_us = np.array([*(lane.after_us for lane in self._lanes), NEVER_US, NEVER_US])[sorted_lanes]
        stops = _among(times_us, by_row)
        stops[1:] |= follows & (apart_us > after_us[1:] + _TICK_US)
        values = value[order]
        stops |= self._unbelieved(sorted_lanes, values)
        ends = sorted_lanes.searchsorted(np.arange(len(self._lanes) + 1)).tolist()
        for place, lane in enumerate(self._lanes):
            part = slice(ends[place], ends[place + 1])
            lane.enter(times_us[part], values[part], stops[part])
        begins, ends_at = at_us.searchsorted(by_row, "left"), at_us.searchsorted(by_row, "right")
        return dict(zip(by_row.tolist(), zip(begins.tolist(), ends_at.tolist(), strict=True), strict=True))

    def _unbelieved(self, lanes: Ints, values: Floats) -> NDArray[np.bool_]:
        lows = [lane.sensor.min_plausible for lane in self._lanes]
        highs = [lane.sensor.max_plausible for lane in self._lanes]
        low = np.array([*(-np.inf if each is None else each for each in lows), -np.inf, -np.inf])
        high = np.array([*(np.inf if each is None else each for each in highs), np.inf, np.inf])
        found: NDArray[np.bool_] = (values < low[lanes]) | (values > high[lanes])
        return found


class Passage:
    """The stops of one block, in the order of their moments."""

    def __init__(
        self,
        town: Town,
        intake: Intake,
        lane_of: Mapping[str, Lane],
        block: Block,
        by_row: dict[int, tuple[int, int]],
        looked_us: int,
    ) -> None:
        self._town, self._intake, self._lane_of, self._block = town, intake, lane_of, block
        self._lanes = list(lane_of.values())
        self._by_row, self._looked_us = by_row, looked_us
        self._stops: list[tuple[int, int, int]] = []  # moment, place of the lane, turn
        self._looks: list[int] = []

    def live(self) -> None:
        """Live through all moments of the block."""
        at_us = self._block.at_us
        for start in self._town.rules_start:
            self._look_after(us_of(start))
        for moment_us in self._by_row:
            heapq.heappush(self._stops, (moment_us, ODD, 0))
        if self._town.last_at is None:
            heapq.heappush(self._looks, int(at_us[0]))
        self._plan(self._lanes)
        while self._stops or self._looks:
            self._stop(min([*self._looks[:1], *(stop[0] for stop in self._stops[:1])]))
        last_us = int(at_us[-1])
        for lane in self._lanes:
            self._fold(lane, last_us + 1)
        self._town.pass_time(moment_of(last_us), is_watched=False)
        self._town.arrived(moment_of(last_us))

    def _stop(self, moment_us: int) -> None:
        """Live through a moment: first what falls due before it, then what is read then and is not quiet."""
        at = moment_of(moment_us)
        if self._looks and self._looks[0] == moment_us:
            self._look(moment_us)
        else:
            self._town.pass_time(at, is_watched=False)
        rows = self._rows(moment_us)
        lanes = self._stopped(moment_us)
        lanes |= {self._lane_of[each] for row in rows if (each := row.body["sensor_id"]) in self._lane_of}
        for lane in lanes:
            self._fold(lane, moment_us)
        readings = self._intake.take(at, rows) if rows else self._plain(at, lanes)
        if readings:
            self._town.put(at, readings)
        for lane in lanes:
            lane.at = int(lane.times_us.searchsorted(moment_us, "right"))
        self._plan(lanes)

    def _stopped(self, moment_us: int) -> set[Lane]:
        """Return the lanes that stop at this moment."""
        lanes = set()
        while self._stops and self._stops[0][0] == moment_us:
            _, place, turn = heapq.heappop(self._stops)
            if place != ODD and self._lanes[place].turn == turn:
                lanes.add(self._lanes[place])
        return lanes

    def _look(self, moment_us: int) -> None:
        """Let ticks find what is silent before this moment, with every state as it was then."""
        while self._looks and self._looks[0] == moment_us:
            heapq.heappop(self._looks)
        for lane in self._lanes:
            self._fold(lane, moment_us)
        before = int(self._block.at_us.searchsorted(moment_us, "left")) - 1
        if before >= 0:
            self._town.arrived(moment_of(int(self._block.at_us[before])))
        self._town.pass_time(moment_of(moment_us))
        self._looked_us = moment_us
        self._plan(self._lanes)

    def _plan(self, lanes: Iterable[Lane]) -> None:
        """Find where each lane stops next, and when a tick may find its sensor silent before that."""
        for lane in lanes:
            lane.turn += 1
            end = lane.quiet_until(self._town.calm_of(lane.sensor.sensor_id))
            next_us = int(lane.times_us[end]) if end < len(lane.times_us) else NEVER_US
            if end > lane.at:
                due_us = int(lane.times_us[end - 1]) + lane.after_us + _TICK_US
            else:
                state = self._town.state.sensors.get(lane.sensor.sensor_id)
                due_us = lane.due_us(state, self._looked_us)
            if due_us < next_us:
                self._look_after(due_us)
            if next_us < NEVER_US:
                heapq.heappush(self._stops, (next_us, lane.place, lane.turn))

    def _look_after(self, due_us: int) -> None:
        """Have ticks look before the first moment after ``due_us``."""
        at_us = self._block.at_us
        place = int(at_us.searchsorted(due_us, "right"))
        if place < len(at_us):
            heapq.heappush(self._looks, int(at_us[place]))

    def _fold(self, lane: Lane, until_us: int) -> None:
        """Fold the quiet readings of a lane that are older than ``until_us``."""
        begin, end = lane.at, int(lane.times_us.searchsorted(until_us, "left"))
        if end <= begin:
            return
        calm = self._town.calm_of(lane.sensor.sensor_id)
        if calm is None:
            raise RuntimeError(f"{lane.sensor.sensor_id} was to be quiet until {moment_of(until_us)}")
        newest_us = int(lane.times_us[end - 1])
        first_n = self._intake.pass_over(lane.sensor.sensor_id, end - begin, moment_of(newest_us))
        first = max(begin, int(lane.times_us.searchsorted(newest_us - lane.lateness_us, "left")))
        fold_stretch(calm, end - begin, [_kept(lane, at, first_n + at - begin) for at in range(first, end)])
        lane.at = end

    def _rows(self, moment_us: int) -> list[Recorded]:
        """Return the rows of a moment that is lived row by row, in the order in which they are played."""
        begin, end = self._by_row.get(moment_us, (0, 0))
        rows = [self._block.recorded(place) for place in range(begin, end)]
        rows.sort(key=lambda each: (*played_at(each[1]), each[0]))
        return [row for _, row in rows]

    def _plain(self, at: datetime, lanes: Iterable[Lane]) -> list[Reading]:
        stopped = sorted(lanes, key=lambda lane: lane.sensor.sensor_id)
        return [self._intake.take_plain(at, lane.sensor, float(lane.values[lane.at])) for lane in stopped]


def _among(moments_us: Ints, some_us: Ints) -> NDArray[np.bool_]:
    """Say which moments are among some others, which are sorted."""
    if not len(some_us):
        return np.zeros(len(moments_us), np.bool_)
    places = np.minimum(some_us.searchsorted(moments_us), len(some_us) - 1)
    found: NDArray[np.bool_] = some_us[places] == moments_us
    return found


def moment_of(us: int) -> datetime:
    return EPOCH + MICROSECOND * us


def _kept(lane: Lane, at: int, n: int) -> Kept:
    observed_at = moment_of(int(lane.times_us[at]))
    return observed_at, n, float(lane.values[at]), observed_at


_changed: Final = lru_cache(maxsize=65_536)(Conversion.apply)
_NO_INTS: Final[Ints] = np.empty(0, np.int64)
_NO_FLOATS: Final[Floats] = np.empty(0, np.float64)
_NO_FLAGS: Final[NDArray[np.bool_]] = np.empty(0, np.bool_)
