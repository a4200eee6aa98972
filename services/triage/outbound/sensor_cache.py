"""Sensor states in memory, by partition and town: as many as the folders have sensors, dropped on doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from services.triage.domain.calm import Calms
from services.triage.domain.state import SensorState

Place = tuple[int, str]


class SensorCache:
    """What was loaded since the partitions were assigned.

    Attributes:
        quiet_until: Per partition and town, a moment before which no tick can find a new silence.
        last_tick: Per partition, the town time of the last tick folded and committed.
    """

    def __init__(self) -> None:
        self._states: dict[Place, dict[str, SensorState]] = {}
        self._calms: dict[Place, Calms] = {}
        self.quiet_until: dict[Place, datetime] = {}
        self.last_tick: dict[int, datetime] = {}

    def get(self, place: Place) -> dict[str, SensorState] | None:
        return self._states.get(place)

    def put(self, place: Place, states: dict[str, SensorState]) -> None:
        self._states[place] = states
        self._calms[place] = Calms()

    def calms(self, place: Place) -> Calms:
        """Return the quick way for a place that was put; settle it before looking at its states."""
        return self._calms[place]

    def drop(self) -> None:
        """Forget everything: it is loaded again from rows."""
        self._states.clear()
        self._calms.clear()
        self.quiet_until.clear()
        self.last_tick.clear()

    def all(self) -> Iterator[tuple[Place, dict[str, SensorState]]]:
        return iter(self._states.items())
