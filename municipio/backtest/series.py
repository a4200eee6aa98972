"""The values of each gauge, read once more: what a reference level calls an event, and what a chart shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from municipio.backtest.intake import Door, Intake
from municipio.backtest.truth import Event
from municipio.blocks import Block, Floats, Ints, moment_of, us_of
from municipio.columns import Read
from municipio.profiles import recorded
from municipio.rows import Findings
from schemas.municipality import Municipality
from schemas.municipality.profile import Profile
from services.ingest.domain.sensors import KnownSensor

APART: Final = timedelta(hours=6)
"""A gauge that falls below a mark for less is still in the same event."""
COLUMNS_MOST: Final = 1200
ROWS_AT_ONCE: Final = 10_000

Piece = tuple[str, Ints, Floats]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Lowest and highest value of each of equal parts of a time; NaN where nothing was said."""

    begins_at: datetime
    part: timedelta
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Played:
    """The files of a backtest, and how they could be read as columns, if they could."""

    files: Sequence[Path]
    form: Profile
    read: Read | None


def envelopes(
    played: Played, town: Municipality, begins_at: datetime, ends_at: datetime
) -> dict[str, Envelope]:
    """Return each gauge's values between two moments, few enough for a picture."""
    begin_us = us_of(begins_at)
    part_us = max(1, (us_of(ends_at) - begin_us) // COLUMNS_MOST + 1)
    lows: Mapping[str, Floats] = defaultdict(lambda: np.full(COLUMNS_MOST, np.inf))
    highs: Mapping[str, Floats] = defaultdict(lambda: np.full(COLUMNS_MOST, -np.inf))
    for sensor_id, times_us, values in _pieces(played, town):
        places = np.clip((times_us - begin_us) // part_us, 0, COLUMNS_MOST - 1)
        np.minimum.at(lows[sensor_id], places, values)
        np.maximum.at(highs[sensor_id], places, values)
    part = timedelta(microseconds=part_us)
    return {
        sensor_id: Envelope(begins_at, part, _or_nan(low), _or_nan(highs[sensor_id]))
        for sensor_id, low in sorted(lows.items())
    }


def crossings(played: Played, town: Municipality, marks: Mapping[str, float]) -> list[Event]:
    """Return when each gauge stood at its mark or above; rises less than ``APART`` apart are one event."""
    since: dict[str, datetime] = {}
    below: dict[str, datetime] = {}
    found: list[Event] = []
    for sensor_id, times_us, values in _pieces(played, town):
        if sensor_id not in marks:
            continue
        what = f"{sensor_id} >= {marks[sensor_id]:g}"
        is_above = values >= marks[sensor_id]
        for place in _turns(is_above, was_above=sensor_id in since and sensor_id not in below):
            at = moment_of(int(times_us[place]))
            if not is_above[place]:
                below[sensor_id] = at
            elif sensor_id in below and at - below[sensor_id] < APART:
                del below[sensor_id]
            else:
                if sensor_id in below:
                    found.append(Event(since[sensor_id], below.pop(sensor_id), sensor_id, what=what))
                since[sensor_id] = at
    found += [
        Event(began, below.get(sensor_id), sensor_id, what=f"{sensor_id} >= {marks[sensor_id]:g}")
        for sensor_id, began in since.items()
    ]
    return sorted(found, key=lambda each: each.begins_at)


def _turns(is_above: NDArray[np.bool_], *, was_above: bool) -> list[int]:
    """Return where a series turns from below to above or back."""
    turns: list[int] = np.flatnonzero(is_above != np.concatenate(([was_above], is_above[:-1]))).tolist()
    return turns


def _or_nan(values: Floats) -> Floats:
    return np.where(np.isinf(values), np.nan, values)


def _pieces(played: Played, town: Municipality) -> Iterator[Piece]:
    """Yield pieces of each gauge's believable values in the canonical unit, in the order of their times."""
    intake = Intake(town)
    if played.read is None:
        yield from _from_rows(played, intake)
    else:
        yield from _from_blocks(played.read(played.files, played.form, Findings()), intake)


def _from_blocks(blocks: Iterable[Block], intake: Intake) -> Iterator[Piece]:
    for block in blocks:
        for series, name in enumerate(block.names):
            mine = block.series == series
            door = intake.door(*name)
            if door.sensor is not None and mine.any():
                yield _believed(door.sensor, door, block.at_us[mine], block.value[mine])


def _from_rows(played: Played, intake: Intake) -> Iterator[Piece]:
    rows = recorded(played.files, played.form, Findings())
    while some := list(islice(rows, ROWS_AT_ONCE)):
        by_name: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
        for row in some:
            said = row.body
            observed_us = us_of(datetime.fromisoformat(said["observed_at"]))
            by_name[said["sensor_id"], said["property"], said["unit"]].append((observed_us, said["value"]))
        for name, pairs in by_name.items():
            door = intake.door(*name)
            if door.sensor is not None:
                times_us, values = zip(*sorted(pairs), strict=True)
                yield _believed(door.sensor, door, np.array(times_us, np.int64), np.array(values))


def _believed(sensor: KnownSensor, door: Door, times_us: Ints, values: Floats) -> Piece:
    if door.change is not None:
        values = np.array([door.change.apply(each) for each in values.tolist()])
    least = -np.inf if sensor.min_plausible is None else sensor.min_plausible
    most = np.inf if sensor.max_plausible is None else sensor.max_plausible
    good = (values >= least) & (values <= most)
    return sensor.sensor_id, times_us[good], values[good]
