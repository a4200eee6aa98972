"""The closed lists of words that events use. An unknown word read from a neighbour becomes ``unknown``."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NewType

MunicipalityId = NewType("MunicipalityId", str)
SensorId = NewType("SensorId", str)
SiteId = NewType("SiteId", str)
ZoneId = NewType("ZoneId", str)
RuleId = NewType("RuleId", str)
IncidentId = NewType("IncidentId", str)
WarningId = NewType("WarningId", str)
OperatorId = NewType("OperatorId", str)
PersonId = NewType("PersonId", str)
MessageId = NewType("MessageId", str)


class Level(IntEnum):
    """Operational level of the municipality; never the colour of a national law."""

    NORMAL = 0
    WATCH = 1
    PREPARE = 2
    ACT = 3
    IMPACT = 4


class Word(StrEnum):
    """A closed list that tolerates a newer producer: what it does not know reads as ``unknown``."""

    @classmethod
    def _missing_(cls, value: object) -> Word | None:
        return cls.__members__.get("UNKNOWN")


class Hazard(Word):
    """What threatens people.

    ``street``: a live cable, a gas leak, an open manhole, a tree about to fall. ``rescue``: people in
    danger, and nobody said from what. Both come from what people report, no sensor measures them.
    """

    FLOOD = "flood"
    LANDSLIDE = "landslide"
    RAIN = "rain"
    AIR = "air"
    EARTHQUAKE = "earthquake"
    FIRE = "fire"
    STREET = "street"
    RESCUE = "rescue"
    UNKNOWN = "unknown"


class Property(Word):
    """What a sensor measures."""

    RIVER_LEVEL = "river_level"
    RIVER_FLOW = "river_flow"
    RAIN = "rain"
    PM25 = "pm25"
    TILT = "tilt"
    TEMPERATURE = "temperature"
    BATTERY = "battery"
    UNKNOWN = "unknown"


class Quality(Word):
    """What the source itself says of a value; anything but ``good`` is kept and shown."""

    GOOD = "good"
    SUSPECT = "suspect"
    TEST = "test"
    UNKNOWN = "unknown"


class ReportChannel(Word):
    """By which door a person's report came. ``cad``: the dispatch computer of 911."""

    WEB = "web"
    APP = "app"
    PHONE = "phone"
    CAD = "cad"
    RADIO = "radio"
    UNKNOWN = "unknown"


class ReportVerdict(Word):
    """What a report came to.

    ``noted`` raises no alert and waits for the town's services; ``referred`` is not the town's to judge:
    violence between people belongs to 911.
    """

    OPENED = "opened"
    JOINED = "joined"
    NOTED = "noted"
    REFERRED = "referred"
    UNKNOWN = "unknown"


class IncidentKind(Word):
    HAZARD = "hazard"
    NO_DATA = "no_data"
    UNKNOWN = "unknown"


class IncidentState(Word):
    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class EvidenceSource(Word):
    """Who says so: an instrument, or people."""

    SENSOR = "sensor"
    REPORT = "report"
    UNKNOWN = "unknown"


class SensorState(Word):
    """Whether the last condition of a sensor is backed by a fresh reading."""

    OK = "ok"
    NO_DATA = "no_data"
    UNKNOWN = "unknown"


class Verb(Word):
    """What a person may decide. Triage owns raise, lower, close; notify owns the others."""

    APPROVE = "approve"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - a verb, no secret
    RAISE = "raise"
    LOWER = "lower"
    RENEW = "renew"
    CORRECT = "correct"
    LIFT = "lift"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    UNKNOWN = "unknown"


TRIAGE_VERBS = frozenset({Verb.RAISE, Verb.LOWER, Verb.CLOSE})
NOTIFY_VERBS = frozenset(
    {Verb.APPROVE, Verb.REJECT, Verb.PASS, Verb.RENEW, Verb.CORRECT, Verb.LIFT, Verb.WITHDRAW}
)


class Via(Word):
    """The door by which a person's decision or answer came."""

    CLI = "cli"
    SMS = "sms"
    CALL = "call"
    LINK = "link"
    UNKNOWN = "unknown"


class Ruling(Word):
    APPLIED = "applied"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class WarningState(Word):
    """Life of a warning: asked for, in force, over. ``lapsed`` does not exist on purpose."""

    REQUESTED = "requested"
    AUTHORISED = "authorised"
    REJECTED = "rejected"
    VOIDED = "voided"
    LIFTED = "lifted"
    UNKNOWN = "unknown"


class AuthorityKind(Word):
    OPERATOR = "operator"
    SAFE_RELEASE = "safe_release"
    RENEWAL_RULE = "renewal_rule"
    UNKNOWN = "unknown"


class Channel(Word):
    """By what people are told, and answer. Nobody is told by ``link``: it is only answered."""

    SMS = "sms"
    VOICE = "voice"
    LINK = "link"
    UNKNOWN = "unknown"


class Purpose(Word):
    """Why a message exists; part of what makes it unique per person."""

    PAGE = "page"
    AUTHORITY = "authority"
    WARNING = "warning"
    RENEWAL = "renewal"
    CORRECTION = "correction"
    LIFT = "lift"
    TASK = "task"
    WITHDRAW = "withdraw"
    REPLY = "reply"
    UNKNOWN = "unknown"


class MessageState(Word):
    """States of one message (RELIABILITY, appendix C); they only move forward."""

    PLANNED = "planned"
    SENDING = "sending"
    UNRESOLVED = "unresolved"
    ACCEPTED = "accepted"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class TaskKind(Word):
    READ_GAUGE = "read_gauge"
    ALERT_BRIGADE = "alert_brigade"
    REACH_BLOCK = "reach_block"
    WITHDRAW = "withdraw"
    UNKNOWN = "unknown"


class TaskState(Word):
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ON_SCENE = "on_scene"
    DONE = "done"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class TaskNoteKind(Word):
    """What a crew reports from the field beside its own progress."""

    NEED = "need"
    CLOSURE = "closure"
    NO_WAY = "no_way"
    UNKNOWN = "unknown"


class Lane(IntEnum):
    """Order of what leaves an outbox after an outage: people's words, then measurements, then poison."""

    DECISIONS = 0
    REPORTS = 1
    INCIDENTS = 2
    WARNINGS = 3
    MESSAGES = 4
    READINGS = 5
    DEAD_LETTERS = 6
