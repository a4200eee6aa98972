"""A console without a broker, and a night of events in two towns to tell it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from schemas.envelope import Envelope
from schemas.events.base import Event
from schemas.municipality import Municipality, load_folder
from schemas.topics import BY_TYPE
from services.console.app import App
from services.console.settings import ConsoleSettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.records import Record
from services.runtime.signing import generate_keys, load_signer
from tests.support.migrated import migrated
from tests.support.towns import write_town

START = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
TOKEN = {"Authorization": "Bearer an admin token"}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def said(kind: str, **changed: object) -> Event:
    """Return the released example of a type with some fields changed."""
    value = json.loads((EXAMPLES / kind / "1.json").read_text(encoding="utf-8"))["value"]
    return BY_TYPE[kind][1].model.model_validate({**value, **changed})


@dataclass
class Told:
    """One event on its way, before it has an offset."""

    kind: str
    event: Event
    minutes: float
    town: str = "villa"
    key: str = ""
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    signed_by: str | None = "the producer"

    @property
    def topic(self) -> str:
        return BY_TYPE[self.kind][0].name


def load(directory: Path, town_id: str) -> Municipality:
    return load_folder(write_town(directory, town_id, zones=2, residents_per_zone=1).folder)


class Desk:
    """One console on one database, told of events in any order; ``offsets`` are those of the topics."""

    def __init__(self, directory: Path, url: str | None = None) -> None:
        self.url = url or f"sqlite:///{directory / 'console.sqlite'}"
        self.directory = directory
        self.keys = directory / "keys"
        generate_keys(self.keys, ["ingest", "triage", "notify"])
        self.towns = {town: load(directory / "towns", town) for town in ("villa", "puerto")}
        self.offsets: dict[str, int] = {}
        self.log: dict[str, list[Record]] = {}
        settings = ConsoleSettings(keys_dir=self.keys, admin_token=SecretStr("an admin token"))
        self.app = App(
            settings,
            db=Database(migrated(self.url, "console"), schema="console"),
            clock=HandClock(START),
            municipalities=self.towns,
        )

    def record(self, told: Told) -> Record:
        """Put an event on its topic, as its producer signs it."""
        envelope = Envelope(
            id=told.event_id, source="test", type=told.kind, time=at(told.minutes), municipality=told.town
        )
        value = told.event.json_bytes()
        topic, kind = BY_TYPE[told.kind]
        if topic.signed and told.signed_by is not None:
            service = kind.producers[0] if told.signed_by == "the producer" else told.signed_by
            envelope = load_signer(self.keys, service).seal(topic.name, envelope, value)
        log = self.log.setdefault(topic.name, [])
        log.append(
            Record(topic.name, 0, len(log), told.key.encode() or None, value, tuple(envelope.headers()))
        )
        return log[-1]

    async def tell(self, *told: Told) -> None:
        """Hand events over one by one."""
        for each in told:
            await self.app.consume(each.topic, [self.record(each)])

    async def tell_again(self, topic: str | None = None) -> None:
        """Read topics again from their beginning, each in one batch."""
        for name, log in self.log.items():
            if topic in {None, name}:
                await self.app.consume(name, log)

    async def digest(self, town: str = "villa") -> dict[str, tuple[int, str]]:
        answer = await self.get("_digest", municipality=town)
        return {row["collection"]: (row["count"], row["sha256_sum"]) for row in answer["items"]}

    async def get(self, route: str, **asked: object) -> dict[str, Any]:
        answer = await self.ask(f"/v1/{route}", **{"municipality": "villa", **asked})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ask(self, route: str, method: str = "GET", **asked: object) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app.http)
        async with httpx.AsyncClient(transport=transport, base_url="http://c", headers=TOKEN) as http:
            return await http.request(method, route, params=asked)


def message(message_id: str, state: str, minutes: float, **more: object) -> dict[str, object]:
    return {
        "message_id": message_id,
        "recipient_id": f"r-{message_id}",
        "channel": "sms",
        "purpose": "warning",
        "state": state,
        "at": at(minutes),
        "warning_id": "w1",
        "version": 2,
        **more,
    }


def page(state: str, minutes: float) -> dict[str, object]:
    return message("p1", state, minutes, purpose="page", warning_id=None, version=None)


def night(town: str = "villa", incident: str = "i1") -> list[Told]:
    """Return a flood from its first reading to its lift: one list, in the order of its causes."""

    def of(kind: str, minutes: float, **changed: object) -> Told:
        key = town if BY_TYPE[kind][0].key == "municipality" else incident
        fixed = {"incident_id": incident} if "incident_id" in BY_TYPE[kind][1].model.model_fields else {}
        event = said(kind, **{**fixed, **changed})
        return Told(kind, event, minutes, town=town, key=key, event_id=f"{town}/{kind}/{minutes}")

    ledger = {"observed_at": at(0), "received_at": at(0.05), "classified_at": at(0.1)}
    asked = ledger | {"requested_at": at(0.2)}
    audience = {"digest": "d", "phones": 2, "inhabitants": 9}
    warning = {"warning_id": "w1", "audience": audience}
    return [
        of("municipality.activated", -5, folder_hash="f1", rulebook_version="r1", activated_at=at(-5)),
        of("incident.classified", 0.1, version=1, level=2, opened_at=at(0.1)),
        of("alert.dispatched", 0.15, alert_id="a1", purpose="page", warning_id=None, recipients=1),
        of("task.assigned", 0.2, task_id="t1", version=1, at=at(0.2)),
        of("warning.requested", 0.2, version=1, state="requested", authority=None, ledger=asked, **warning),
        of("message.updated", 0.3, messages=[page("accepted", 0.3)]),
        of("incident.classified", 1, version=2, level=3, opened_at=at(0.1)),
        of("alert.acknowledged", 2, alert_id="a1", person_id="ana", acknowledged_at=at(2)),
        of("coordinator.decided", 3, decision_id="d1", decided_at=at(3)),
        of("decision.ruled", 3.1, decision_id="d1", ruled_at=at(3.1)),
        of("warning.authorised", 3.1, version=2, ledger=asked | {"authorised_at": at(3.1)}, **warning),
        of(
            "message.updated",
            3.2,
            messages=[message("m1", "accepted", 3.2), message("m2", "accepted", 3.3)],
        ),
        of("message.updated", 4, messages=[message("m1", "delivered", 4)]),
        of("message.updated", 5, messages=[message("m2", "delivered", 5), page("delivered", 5)]),
        of("task.updated", 6, task_id="t1", version=2, state="accepted", at=at(6)),
        of("warning.requested", 60, version=3, state="requested", purpose="renewal", **warning),
        of("warning.renewed", 61, version=4, purpose="renewal", **warning),
        of("task.updated", 62, task_id="t1", version=3, state="done", at=at(62)),
        of("warning.lifted", 90, version=5, state="lifted", purpose="lift", **warning),
        of("incident.closed", 95, version=3, level=0, state="closed", opened_at=at(0.1)),
        of("municipality.activated", 99, folder_hash="f2", rulebook_version="r1", activated_at=at(99)),
    ]


def by_topic(told: Sequence[Told]) -> dict[str, list[Told]]:
    """Return each topic's own order, which alone is kept."""
    found: dict[str, list[Told]] = {}
    for each in told:
        found.setdefault(each.topic, []).append(each)
    return found
