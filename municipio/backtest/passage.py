"""Live through one block: each moment at which something may change, and quiet stretches in one step.

Between such moments a sensor's readings bear on nobody but itself. So each sensor has a lane of its own; it
stops where a reading is not certain to be quiet, and where a tick may find a silence. At a stop the town
lives through that moment as it does row by row. A kind of rule that acts because time passes has to name
its moments here, as silences do.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime

from municipio.backtest.intake import Intake
from municipio.backtest.lane import NEVER_US, TICK_US, Lane
from municipio.backtest.town import Town
from municipio.blocks import ODD, Block, moment_of, us_of
from municipio.profiles import played_at
from municipio.rows import Recorded
from services.triage.domain.inputs import Reading
from services.triage.domain.stretch import fold_stretch


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
                due_us = int(lane.times_us[end - 1]) + lane.after_us + TICK_US
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
        fold_stretch(calm, end - begin, lane.kept(begin, end, first_n))
        lane.at = end

    def _rows(self, moment_us: int) -> list[Recorded]:
        """Return the rows of a moment that is lived row by row, in the order in which they are played."""
        begin, end = self._by_row.get(moment_us, (0, 0))
        return sorted((self._block.recorded(place) for place in range(begin, end)), key=played_at)

    def _plain(self, at: datetime, lanes: Iterable[Lane]) -> list[Reading]:
        stopped = sorted(lanes, key=lambda lane: lane.sensor.sensor_id)
        return [self._intake.take_plain(at, lane.sensor, float(lane.values[lane.at])) for lane in stopped]
