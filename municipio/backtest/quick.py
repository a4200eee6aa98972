"""Play a recording in blocks: every sensor into its lane, then through the moments of the block."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from municipio.backtest.intake import Intake
from municipio.backtest.lane import NEVER_US, TICK_US, Lane
from municipio.backtest.passage import Passage
from municipio.backtest.town import Town
from municipio.blocks import ODD, Block, Flags, Floats, Ints, us_of
from services.ingest.domain.normalise import EARLIEST
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.units import Conversion

UNKNOWN: Final = -2
"""In place of a lane: the town knows no such sensor."""
_ORDINARY_MOST: Final = 1e300
"""A larger value may leave what a number can hold when its unit changes."""
_EARLIEST_US: Final = us_of(EARLIEST)


class QuickPlay:
    """Plays blocks into a town."""

    def __init__(self, town: Town, intake: Intake) -> None:
        self._town, self._intake = town, intake
        self._lanes: list[Lane] = []
        self._lane_of: dict[str, int] = {}
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
        """Find the lane of each series that is new."""
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
        stops[1:] |= follows & (apart_us > after_us[1:] + TICK_US)
        values = value[order]
        stops |= self._unbelieved(sorted_lanes, values)
        ends = sorted_lanes.searchsorted(np.arange(len(self._lanes) + 1)).tolist()
        for place, lane in enumerate(self._lanes):
            part = slice(ends[place], ends[place + 1])
            lane.enter(times_us[part], values[part], stops[part])
        begins, ends_at = at_us.searchsorted(by_row, "left"), at_us.searchsorted(by_row, "right")
        return dict(zip(by_row.tolist(), zip(begins.tolist(), ends_at.tolist(), strict=True), strict=True))

    def _unbelieved(self, lanes: Ints, values: Floats) -> Flags:
        lows = [lane.sensor.min_plausible for lane in self._lanes]
        highs = [lane.sensor.max_plausible for lane in self._lanes]
        low = np.array([*(-np.inf if each is None else each for each in lows), -np.inf, -np.inf])
        high = np.array([*(np.inf if each is None else each for each in highs), np.inf, np.inf])
        found: Flags = (values < low[lanes]) | (values > high[lanes])
        return found


def _among(moments_us: Ints, some_us: Ints) -> Flags:
    """Say which moments are among some others, which are sorted."""
    if not len(some_us):
        return np.zeros(len(moments_us), np.bool_)
    places = np.minimum(some_us.searchsorted(moments_us), len(some_us) - 1)
    found: Flags = some_us[places] == moments_us
    return found


_changed: Final = lru_cache(maxsize=65_536)(Conversion.apply)
