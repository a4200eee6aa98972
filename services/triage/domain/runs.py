"""Readings of many records, folded sensor by sensor, with the outcome of one after the other. Pure.

Sensors do not look at each other in stage 1, so each one's readings are taken together: what changes
nothing in one step (``stretch.py``), what may in the long way of ``sensor.py``. What is said is put back
into the order in which the readings were accepted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import lt

from schemas.fingerprint import MODULUS, fingerprint_of_many
from services.triage.domain.calm import Calm, Calms
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import GOOD, Reading
from services.triage.domain.rulebook import Book
from services.triage.domain.state import SensorState
from services.triage.domain.stretch import fold_stretch, stretch_most

Measured = tuple[str, Sequence[Reading]]
"""A record: the id of its event, and its readings."""


def fold_records(
    book: Book, sensors: dict[str, SensorState], calms: Calms, records: Sequence[Measured], out: Outcome
) -> None:
    """Fold records in the order in which ingest accepted them; ``sensors`` is changed in place."""
    runs: dict[str, list[Reading]] = defaultdict(list)
    for _, readings in records:
        for reading in readings:
            runs[reading.sensor_id].append(reading)
    said: dict[int, Outcome] = {}
    for sensor_id, run in runs.items():
        for reading, piece in _fold_run(book, sensors, calms, sensor_id, run, out):
            said[id(reading)] = piece
    for event_id, readings in records if said else ():
        for number in filter(said.__contains__, map(id, readings)):
            out.add(said[number], cause=event_id)


def _fold_run(
    book: Book,
    sensors: dict[str, SensorState],
    calms: Calms,
    sensor_id: str,
    run: Sequence[Reading],
    out: Outcome,
) -> Iterator[tuple[Reading, Outcome]]:
    """Fold one sensor's readings; yield what each of them brought that brought anything."""
    times, values = [each.observed_at for each in run], [each.value for each in run]
    breaks = _breaks(run, times)
    place, count, piece = 0, len(run), Outcome()
    while place < count:
        calm = calms.of(book, sensor_id, out)
        if calm is not None and _follows(calm, run[place]):
            end = _end(calm, times, values, place, breaks)
            if end > place:
                _fold_calm(calm, run[place:end], times[place:end])
                out.touched.add(sensor_id)
                place = end
                continue
        calms.fold_one(book, sensors, run[place], piece)
        if piece.changes or piece.signals:
            yield run[place], piece
            out.touched |= piece.touched
            piece = Outcome()
        place += 1
    out.touched |= piece.touched


def _breaks(run: Sequence[Reading], times: Sequence[datetime]) -> list[int]:
    """Return the places, ascending, of readings that do not simply follow the one before them."""
    first = run[0]
    kinds = {(each.property, each.unit, each.quality) for each in run}
    numbers = [each.n for each in run]
    if (
        kinds == {(first.property, first.unit, GOOD)}
        and numbers == list(range(first.n, first.n + len(run)))
        and all(map(lt, times, islice(times, 1, None)))
    ):
        return []
    return [
        place
        for place in range(1, len(run))
        if numbers[place] != numbers[place - 1] + 1
        or times[place] <= times[place - 1]
        or run[place].quality != GOOD
        or (run[place].property, run[place].unit) != (run[place - 1].property, run[place - 1].unit)
    ]


def _follows(calm: Calm, reading: Reading) -> bool:
    return (
        reading.n == calm.n + 1
        and reading.observed_at > calm.newest
        and reading.quality == GOOD
        and reading.property == calm.property
        and reading.unit == calm.unit
    )


def _end(
    calm: Calm, times: Sequence[datetime], values: Sequence[float], place: int, breaks: Sequence[int]
) -> int:
    """Return up to where, from ``place`` on, readings change no standing."""
    end = min(len(values), place + stretch_most(calm))
    if breaks:
        later = bisect_right(breaks, place)
        end = min(end, breaks[later]) if later < len(breaks) else end
    here = values[place:end]
    if here and not (calm.low <= min(here) and max(here) < calm.high):
        end = place + next(at for at, value in enumerate(here) if not calm.low <= value < calm.high)
    if end > place and times[end - 1] > calm.until:
        end = bisect_right(times, calm.until, place, end)
    return end


def _fold_calm(calm: Calm, run: Sequence[Reading], times: Sequence[datetime]) -> None:
    state = calm.state
    state.digest += fingerprint_of_many(state.sensor_id, calm.property, run)
    state.digest %= MODULUS
    staying = bisect_left(times, times[-1] - calm.lateness)
    kept = [(each.observed_at, each.n, each.value, each.received_at) for each in run[staying:]]
    fold_stretch(calm, len(run), kept)
