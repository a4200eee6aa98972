"""The person whom a backtest simulates: closes what has been over for long enough, and says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from schemas.vocabulary import Verb
from services.notify.domain.names import derived
from services.triage.domain.incident import HAZARD, deciding
from services.triage.domain.inputs import Decision
from services.triage.domain.state import Incident, TownState, silent_since

SIMULATED: Final = "simulado"
AFTER: Final = timedelta(hours=6)


class Operator(Protocol):
    """Decides at moments of its own."""

    def look(self, town: TownState, at: datetime) -> None:
        """Take note of how the town stands after something changed."""
        ...

    def next_at(self) -> datetime | None:
        """Return when it will next decide."""
        ...

    def decide(self) -> list[Decision]:
        """Return what it decides at that moment."""
        ...


class Never:
    """Nobody decides anything."""

    def look(self, town: TownState, at: datetime) -> None: ...

    def next_at(self) -> datetime | None:
        return None

    def decide(self) -> list[Decision]:
        return []


class ClosesAfter:
    """Closes an incident when every condition has been clear for ``after`` and none is silent."""

    def __init__(self, after: timedelta = AFTER) -> None:
        self._after = after
        self._clear_since: dict[str, datetime] = {}

    def look(self, town: TownState, at: datetime) -> None:
        clear = {each.incident_id for each in town.incidents.values() if is_over(town, each)}
        self._clear_since = {each: self._clear_since.get(each, at) for each in sorted(clear)}

    def next_at(self) -> datetime | None:
        first = min(self._clear_since.values(), default=None)
        return None if first is None else first + self._after

    def decide(self) -> list[Decision]:
        at = self.next_at()
        if at is None:
            return []
        due = [each for each, since in self._clear_since.items() if since + self._after <= at]
        for each in due:
            del self._clear_since[each]
        return [_close(each, at) for each in due]


class Scripted:
    """Decides what a file says, when it says so; nobody checks by what right."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        simulated = (msgspec.structs.replace(each, simulated=True) for each in decisions)
        self._waiting = sorted(simulated, key=lambda each: each.at)

    def look(self, town: TownState, at: datetime) -> None: ...

    def next_at(self) -> datetime | None:
        return self._waiting[0].at if self._waiting else None

    def decide(self) -> list[Decision]:
        return [self._waiting.pop(0)] if self._waiting else []


def is_over(town: TownState, incident: Incident) -> bool:
    """Say whether nothing of an incident stands any more: all clear, and heard from."""
    if incident.kind != HAZARD:
        return all(silent_since(town, sensor_id) is None for sensor_id in incident.sources)
    return all(one.level == 0 and not one.silent for one in deciding(town, incident))


def _close(incident_id: str, at: datetime) -> Decision:
    return Decision(
        decision_id=derived("backtest", incident_id, at.isoformat()),
        incident_id=incident_id,
        verb=Verb.CLOSE.value,
        operator_id=SIMULATED,
        decided_at=at,
        at=at,
        reason="Decisión simulada: todo bajo los umbrales y con dato.",
        simulated=True,
    )
