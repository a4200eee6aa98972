"""What the engine remembers: small, versioned, no raw history. Saved as JSON, one row per sensor and town."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Final

import msgspec

from services.triage.domain.level import Standing
from services.triage.domain.seen import Gap

STATE_VERSION: Final = 1
MAX_CLOSED: Final = 256
Kept = tuple[datetime, int, float, datetime]
"""A reading in a window: observed_at, n, value, received_at."""


class Track(msgspec.Struct, array_like=True):
    """One rule on one sensor.

    Attributes:
        settled: After every reading older than the watermark.
        provisional: After every reading.
        level: The condition as stage 2 was last told it.
        since: ``observed_at`` of the reading that brought ``level``.
        held: A late reading showed, or took away, this level: the condition stays there until the
            watermark has passed ``held_until``.
        late: Per row, late readings in a row at or above ``raise_at``; they confirm one another only.
    """

    settled: Standing
    provisional: Standing
    level: int = 0
    since: datetime | None = None
    held: int = 0
    held_until: datetime | None = None
    late: tuple[int, ...] = ()


class SensorState(msgspec.Struct, dict=True):
    """Stage 1 of one sensor.

    Attributes:
        digest: Sum modulo 2**64 of the hash of every reading counted; the order does not matter.
        window: Good readings not yet settled, by ``observed_at``.
        watermark: What is older arrives late.
        newest: The good reading with the highest ``observed_at``.
        watched_from: First tick that knew of the sensor: a gauge that never spoke is silent too.
        silent: Silence rules that hold it for silent now.
        rulebook: Version under which ``tracks`` were made.
    """

    sensor_id: str
    v: int = STATE_VERSION
    last_n: int = 0
    gaps: list[Gap] = []
    count: int = 0
    digest: int = 0
    unusable: int = 0
    window: list[Kept] = []
    watermark: datetime | None = None
    newest: Kept | None = None
    tracks: dict[str, Track] = {}
    watched_from: datetime | None = None
    silent: list[str] = []
    rulebook: str = ""

    @cached_property
    def standings(self) -> dict[str, list[Standing]]:
        """Per rule, the standing before the window and after each reading in it; empty until one is late.

        Not saved: it follows from ``tracks`` and ``window``.
        """
        return {}


class Condition(msgspec.Struct):
    """What a rule says one sensor's measurement does, as stage 2 holds it.

    Attributes:
        incident_id: The incident that it joined last; open only while the town still holds it.
    """

    rule_id: str
    sensor_id: str
    level: int
    value: float | None = None
    observed_at: datetime | None = None
    received_at: datetime | None = None
    silent: bool = False
    provisional: bool = True
    incident_id: str | None = None

    @property
    def key(self) -> str:
        return condition_key(self.rule_id, self.sensor_id)


class Said(msgspec.Struct):
    """What people say of one thing in one place, without who said it.

    Attributes:
        code: The danger, or the category of what endangers nobody.
        what: The same in words.
        level: What it is worth alone; 0 for what endangers nobody.
        count: How many said so.
    """

    zone: str | None
    code: str
    what: str
    level: int
    first_at: datetime
    last_at: datetime
    received_at: datetime
    count: int = 1


class Incident(msgspec.Struct):
    """An open incident.

    Attributes:
        material_version: The last version at which level or zones changed; a decision about an older one
            is about something else.
        zone_levels: Level of each zone, a ratchet like the whole.
        sources: Keys of the conditions that decided it, or ids of the silent sensors.
        overruled: Per source, the level that a person set aside: it counts again above it, or after it fell.
        reports: What people say, one row per thing and zone.
    """

    incident_id: str
    kind: str
    hazard: str
    rule_id: str
    opened_at: datetime
    observed_at: datetime
    level: int = 0
    previous_level: int = 0
    version: int = 0
    material_version: int = 1
    zone_levels: dict[str, int] = {}
    site: str | None = None
    place: str = ""
    received_at: datetime | None = None
    sources: list[str] = []
    overruled: dict[str, int] = {}
    reports: list[Said] = []


class TownState(msgspec.Struct):
    """Stage 2 of one municipality.

    Attributes:
        conditions: Those above normal, and those that an open incident refers to.
        silent: Per silence rule, its silent sensors and since when.
        heard: Sensors that have reported at least once.
        closed: Ids of the incidents closed last, so that none is given twice.
    """

    municipality: str
    v: int = STATE_VERSION
    conditions: dict[str, Condition] = {}
    silent: dict[str, dict[str, datetime]] = {}
    heard: set[str] = set()
    incidents: dict[str, Incident] = {}
    closed: list[str] = []


class State(msgspec.Struct):
    """Both stages of one municipality; what a backtest carries and the live service keeps in rows."""

    town: TownState
    sensors: dict[str, SensorState] = {}
    quiet_until: datetime | None = None
    last_tick: datetime | None = None


def empty(municipality: str) -> State:
    return State(town=TownState(municipality))


def silent_since(town: TownState, sensor_id: str) -> datetime | None:
    """Return since when a sensor is held for silent by any rule, None when it reports."""
    return max((sensors[sensor_id] for sensors in town.silent.values() if sensor_id in sensors), default=None)


def close_incident(town: TownState, incident: Incident) -> None:
    """Forget an open incident, and the conditions that only it referred to."""
    del town.incidents[incident.incident_id]
    town.closed = [*town.closed, incident.incident_id][-MAX_CLOSED:]
    forget_normal(town)


def forget_normal(town: TownState) -> None:
    """Drop conditions at normal that no open incident refers to."""
    used = {key for incident in town.incidents.values() for key in incident.sources}
    for key in [key for key, one in town.conditions.items() if one.level == 0 and key not in used]:
        del town.conditions[key]


def condition_key(rule_id: str, sensor_id: str) -> str:
    return f"{rule_id}|{sensor_id}"


encode: Final = msgspec.json.Encoder().encode
decode_sensor: Final = msgspec.json.Decoder(SensorState).decode
decode_town: Final = msgspec.json.Decoder(TownState).decode
decode_state: Final = msgspec.json.Decoder(State).decode
