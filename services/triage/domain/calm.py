"""The quick way for readings that change nothing: told apart by comparisons, folded many at a time. Pure.

Most readings of most rivers leave every condition where it stands. While that is certain for a sensor, its
readings are only collected, and ``settle`` brings its state to where one after the other would have
brought it; whatever is not certain goes the long way of ``sensor.py``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from schemas.fingerprint import MODULUS, fingerprint_of_many
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import GOOD, Reading
from services.triage.domain.level import INFINITE
from services.triage.domain.rulebook import Book, Levels, SensorRules
from services.triage.domain.sensor import fold_reading
from services.triage.domain.state import Kept, SensorState, Track
from services.triage.domain.window import MAX_WINDOW, edition

NEVER: Final = datetime.max.replace(tzinfo=UTC)
LOOK_MOST: Final = 16
"""Readings of the window that one reading may have looked at in the search for calm."""


class Calm:
    """What must hold of a sensor's next reading for it to change no standing, and the readings that did.

    Attributes:
        low, high: From ``low`` up to, and without, ``high`` a value leaves every rule where it stands.
        until: Up to this ``observed_at`` the same rules are in force and nothing settles that moves.
        n, newest: Of the last reading, collected ones included.
        run: Collected and not yet folded.
    """

    __slots__ = ("high", "lateness", "low", "n", "newest", "property", "run", "state", "unit", "until")

    def __init__(
        self,
        rules: SensorRules,
        state: SensorState,
        newest: Reading,
        band: tuple[float, float],
        until: datetime,
    ) -> None:
        self.state, self.until, self.lateness = state, until, rules.lateness
        self.low, self.high = band
        self.property, self.unit = newest.property, newest.unit
        self.n, self.newest = newest.n, newest.observed_at
        self.run: list[Reading] = []


class Calms:
    """The calm sensors of one town and partition; must be settled before anybody looks at their states."""

    def __init__(self) -> None:
        self._by_sensor: dict[str, Calm] = {}
        self._running: list[Calm] = []
        self._unlooked: dict[str, int] = {}

    def fold(
        self, book: Book, sensors: dict[str, SensorState], readings: Iterable[Reading], out: Outcome
    ) -> None:
        """Fold readings in the order in which ingest accepted them; ``sensors`` is changed in place."""
        known, running = self._by_sensor, self._running
        for reading in readings:
            calm = known.get(reading.sensor_id)
            if calm is not None:
                if (
                    reading.n == calm.n + 1
                    and calm.low <= reading.value < calm.high
                    and calm.newest < reading.observed_at <= calm.until
                    and reading.quality == GOOD
                    and reading.property == calm.property
                    and reading.unit == calm.unit
                ):
                    calm.n, calm.newest = reading.n, reading.observed_at
                    if not calm.run:
                        running.append(calm)
                    calm.run.append(reading)
                    continue
                _settle(book, calm, out)
            self.fold_one(book, sensors, reading, out)

    def settle(self, book: Book, out: Outcome) -> None:
        """Bring every state to where its readings lead."""
        for calm in self._running:
            _settle(book, calm, out)
        self._running.clear()

    def of(self, book: Book, sensor_id: str, out: Outcome) -> Calm | None:
        """Return a sensor's calm with its state settled; None where its next reading goes the long way."""
        calm = self._by_sensor.get(sensor_id)
        if calm is not None:
            _settle(book, calm, out)
        return calm

    def forget(self, book: Book, out: Outcome) -> None:
        """Settle, and look anew at every sensor: something beside a reading is about to change them."""
        self.settle(book, out)
        self._by_sensor.clear()

    def fold_one(self, book: Book, sensors: dict[str, SensorState], reading: Reading, out: Outcome) -> None:
        """Fold a reading the long way, behind all that its sensor had collected."""
        state = sensors.get(reading.sensor_id)
        if state is None:
            state = sensors[reading.sensor_id] = SensorState(reading.sensor_id)
        fold_reading(book, state, reading, out)
        calm = self._calm_after(book, state, reading)
        if calm is None:
            self._by_sensor.pop(reading.sensor_id, None)
        else:
            self._by_sensor[reading.sensor_id] = calm
            state.standings.clear()

    def _calm_after(self, book: Book, state: SensorState, reading: Reading) -> Calm | None:
        """Look for calm, which reads the whole window: not after every reading where that is long."""
        readings = self._unlooked.get(reading.sensor_id, 0) + 1
        if readings * LOOK_MOST < len(state.window):
            self._unlooked[reading.sensor_id] = readings
            return None
        self._unlooked.pop(reading.sensor_id, None)
        return _calm_after(book, state, reading)


def _settle(book: Book, calm: Calm, out: Outcome) -> None:
    run, state = calm.run, calm.state
    if not run:
        return
    calm.run = []
    if len(state.window) + len(run) > MAX_WINDOW:
        calm.until = run[-1].observed_at  # The window is full: what it pushes out may move what is settled.
        for reading in run:
            fold_reading(book, state, reading, out)
        return
    out.touched.add(state.sensor_id)
    state.last_n = run[-1].n
    state.count += len(run)
    state.digest = (state.digest + fingerprint_of_many(state.sensor_id, calm.property, run)) % MODULUS
    watermark = calm.newest - calm.lateness
    if state.watermark is None or watermark > state.watermark:
        state.watermark = watermark
    window = state.window
    window.extend(map(_kept, run))
    state.newest = window[-1]
    if window[0][0] < state.watermark:
        del window[: bisect_left(window, state.watermark, key=_observed_at)]


def _calm_after(book: Book, state: SensorState, reading: Reading) -> Calm | None:
    """Return when the readings after this one change nothing; None where that is not certain."""
    rules, newest = book.sensors.get(state.sensor_id), state.newest
    if rules is None or newest is None or not state.window or state.silent or not state.tracks:
        return None
    if newest[1] != reading.n or newest[0] != reading.observed_at or state.rulebook != book.version:
        return None
    if state.last_n != reading.n:
        return None  # A higher number was observed earlier: what is missing is for the slow way to say.
    era = bisect_right(rules.starts, newest[0])
    if bisect_right(rules.starts, state.window[0][0]) != era:
        return None
    low, high, until = -INFINITE, INFINITE, NEVER
    if era < len(rules.starts):
        until = rules.starts[era] - datetime.resolution
    for rule_id, track in state.tracks.items():
        rule = edition(rules.eras[era], rule_id)
        band = None if rule is None else _band(rule, track, reading)
        if rule is None or band is None:
            return None
        low, high = max(low, band[0]), min(high, band[1])
        moves_at = _first_to_move(rule, track, state.window)
        if moves_at is not None:
            until = min(until, moves_at + rules.lateness)
        elif track.settled != track.provisional:
            return None
    return Calm(rules, state, reading, (low, high), until)


def _band(rule: Levels, track: Track, reading: Reading) -> tuple[float, float] | None:
    is_held = track.held_until is not None or track.level != track.provisional.level
    if is_held or rule.unit != reading.unit:
        return None
    return rule.ladder.calm(track.provisional, reading.value)


def _first_to_move(rule: Levels, track: Track, window: Sequence[Kept]) -> datetime | None:
    """Return the time of a reading in the window before which none moves the settled standing.

    None when none does. Between the bounds of the first reading no other needs a look.
    """
    band = rule.ladder.calm(track.settled, window[0][2])
    if band is None:
        return window[0][0]
    low, high = band
    return next((kept[0] for kept in window if not low <= kept[2] < high), None)


def _kept(reading: Reading) -> Kept:
    return reading.observed_at, reading.n, reading.value, reading.received_at


def _observed_at(kept: Kept) -> datetime:
    return kept[0]
