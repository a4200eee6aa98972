"""What the engine answers: changes for people and files, signals from stage 1 to stage 2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot


@dataclass(frozen=True, slots=True)
class Change:
    """One verdict, the verdict not to alert included (``before == after``).

    Attributes:
        kind: ``condition``, ``silence``, ``incident`` or ``decision``.
        at: Town time at which it was decided: arrival of the reading, tick, or decision.
        provisional: A late reading may still change it.
        snapshot: The incident's new version, for ``incident``.
    """

    kind: str
    at: datetime
    observed_at: datetime | None
    reasons: tuple[Reason, ...]
    rule: str | None = None
    sensor_id: str | None = None
    zones: tuple[str, ...] = ()
    before: int | None = None
    after: int | None = None
    value: float | None = None
    unit: str | None = None
    provisional: bool = False
    simulated: bool = False
    rulebook_version: str = ""
    incident_id: str | None = None
    snapshot: IncidentSnapshot | None = None

    def as_record(self) -> dict[str, Any]:  # Any: a JSON document, as DOORS lists its fields
        """Return the record that ``backtest --json`` and ``/admin/v1/changes`` show."""
        return {
            "kind": self.kind,
            "at": self.at.isoformat(),
            "observed_at": self.observed_at.isoformat() if self.observed_at else None,
            "rule": self.rule,
            "sensor_id": self.sensor_id,
            "zone": ",".join(self.zones) or None,
            "from": self.before,
            "to": self.after,
            "value": self.value,
            "unit": self.unit,
            "provisional": self.provisional,
            "simulated": self.simulated,
            "rulebook_version": self.rulebook_version,
            "incident_id": self.incident_id,
            "reasons": [{"code": reason.code, "text": reason.text} for reason in self.reasons],
        }


class ConditionMoved(msgspec.Struct, frozen=True, tag="condition_moved"):
    """A condition is now at another level."""

    at: datetime
    rule_id: str
    sensor_id: str
    level: int
    before: int
    value: float
    observed_at: datetime
    received_at: datetime
    revision: bool = False


class SensorSilent(msgspec.Struct, frozen=True, tag="sensor_silent"):
    """A sensor has said nothing usable for longer than the rule allows.

    Attributes:
        since: ``observed_at`` of its last word, or the start of the watch when it never spoke.
        value: Its last word; None when it never spoke.
    """

    at: datetime
    rule_id: str
    sensor_id: str
    since: datetime
    value: float | None = None
    received_at: datetime | None = None


class SensorHeard(msgspec.Struct, frozen=True, tag="sensor_heard"):
    """A sensor reports for the first time, or again."""

    at: datetime
    sensor_id: str
    value: float
    unit: str
    observed_at: datetime
    received_at: datetime


Signal = ConditionMoved | SensorSilent | SensorHeard
