"""``clock.ticked``: decide which sensors have gone silent. Every reading accepted before it was folded."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from schemas.events.readings import ClockTicked
from services.runtime.errors import OursMalformed
from services.runtime.records import Record
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Tick
from services.triage.domain.rulebook import Book
from services.triage.domain.silence import fold_tick, next_deadline
from services.triage.domain.state import SensorState
from services.triage.outbound.sensor_cache import Place, SensorCache

TYPE: Final = ClockTicked.TYPE
LOOK_AGAIN: Final = timedelta(minutes=1)
"""At the latest then all are looked at, because a rule may have come into force."""
_decode: Final = msgspec.json.Decoder(Tick).decode


def tick_of(record: Record) -> Tick:
    """Return what a tick says.

    Raises:
        OursMalformed: It cannot be read; only ingest writes here.
    """
    try:
        return _decode(record.value)
    except (msgspec.DecodeError, RecursionError) as err:
        raise OursMalformed(record.topic, record.partition, record.offset, str(err)[:200]) from None


def is_due(cache: SensorCache, place: Place, tick: Tick) -> bool:
    """Say whether anything can have become silent since the last look."""
    last, quiet_until = cache.last_tick.get(place[0]), cache.quiet_until.get(place)
    is_set_back = last is not None and tick.now < last
    return quiet_until is None or tick.now >= quiet_until or is_set_back


def on_clock_ticked(
    book: Book,
    cache: SensorCache,
    place: Place,
    *,
    sensors: dict[str, SensorState],
    watched: tuple[str, ...],
    tick: Tick,
    out: Outcome,
) -> None:
    """Look for silences, unless nothing can have become silent since the last look."""
    if not is_due(cache, place, tick):
        return
    calms, signals = cache.calms(place), len(out.signals)
    calms.settle(book, out)
    fold_tick(book, sensors, watched, tick, out=out)
    if len(out.signals) > signals:
        calms.forget(book, out)
    due = next_deadline(book, (sensors[sensor_id] for sensor_id in watched), tick.now)
    look_again = tick.now + LOOK_AGAIN
    cache.quiet_until[place] = look_again if due is None else min(due, look_again)
