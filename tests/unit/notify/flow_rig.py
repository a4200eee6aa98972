"""Notify whole, on a file of its own, fed with incidents by hand; no broker, no carrier."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from municipio.decisions import asked_in
from schemas.envelope import Envelope
from schemas.events.base import Event, Reason
from schemas.events.decisions import CoordinatorDecided
from schemas.events.incidents import Evidence, IncidentClassified, IncidentClosed
from schemas.municipality import load_all
from schemas.topics import BY_TYPE
from schemas.vocabulary import Hazard, IncidentKind, IncidentState, Level, MessageState, Property, Via
from services.notify.app import App
from services.notify.flows import replies
from services.notify.settings import NotifySettings
from services.notify.tables import body, delivery, runtime
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.outbox import unpack_headers
from services.runtime.records import Record
from services.runtime.signing import Signer, generate_keys, load_signer, load_verifier
from tests.support.migrated import migrated
from tests.support.towns import operator_key, write_town

START = datetime(2026, 5, 5, 8, 40, tzinfo=UTC)  # 02:40 in El Salvador
CODE = re.compile(r"\b(?:SI|OK|VOY|SALIMOS) (\d{4})\b")
DATABASE: ContextVar[str | None] = ContextVar("DATABASE", default=None)
"""Another database than a SQLite file in the test's folder."""

ADMIN = {"authorization": "Bearer rig-token"}


@dataclass
class Rig:
    """One notify with one or two towns. ``town`` is the one that sentences are about."""

    app: App
    clock: HandClock
    triage: Signer
    town: str = "alta"
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def classify(self, *, version: int = 1, level: int = 3, previous: int = 0, **more: Any) -> None:
        """Have triage say that the incident is so."""
        await self.send(snapshot(self.clock.now(), version=version, level=level, previous=previous, **more))

    async def close(self, *, version: int, level: int = 3) -> None:
        said = snapshot(self.clock.now(), version=version, level=level).model_dump()
        await self.send(IncidentClosed.model_validate(said | {"state": IncidentState.CLOSED}))

    async def send(
        self, event: Event, *, signer: Signer | None = None, exercise_id: str | None = None
    ) -> None:
        await self.app.consume(BY_TYPE[event.TYPE][0].name, [self.record(event, signer, exercise_id)])

    def record(self, event: Event, signer: Signer | None = None, exercise_id: str | None = None) -> Record:
        topic, number = BY_TYPE[event.TYPE][0].name, next(self._ids)
        envelope = Envelope(
            id=f"e-{number}",
            source="/triage",
            type=event.TYPE,
            time=self.clock.now(),
            municipality=self.town,
            exercise_id=exercise_id,
        )
        sealed = (signer or self.triage).seal(topic, envelope, event.json_bytes())
        return Record(topic, 0, number, b"inc-1", event.json_bytes(), tuple(sealed.headers()))

    async def wait(self, **duration: float) -> None:
        """Let time pass, from one due timer to the next."""
        end = self.clock.now() + timedelta(**duration)
        for _ in range(200):
            async with self.app.db.reading() as conn:
                due = await self.app.timers.next_due(conn)
            if due is None or due > end:
                break
            self.clock.set(max(due, self.clock.now()))
            await self.app.timers.fire_due()
        self.clock.set(end)
        await self.app.timers.fire_due()

    async def says(self, person: str, text: str, *, provider_id: str | None = None) -> None:
        """Have a phone answer by SMS."""
        async with self.app.db.transaction() as conn:
            await replies.on_reply(
                self.app,
                conn,
                municipality=self.town,
                recipient_id=person,
                text=text,
                received_at=self.clock.now(),
                provider_id=provider_id or f"SM{next(self._ids)}",
            )

    async def presses(self, message_id: str, digits: str) -> None:
        async with self.app.db.transaction() as conn:
            await replies.on_keypress(
                self.app,
                conn,
                municipality=self.town,
                message_id=message_id,
                digits=digits,
                received_at=self.clock.now(),
                provider_id=f"CA{next(self._ids)}",
            )

    async def messages(self, **only: str) -> list[dict[str, Any]]:
        """Return messages of the town with their words, in order of planning."""
        same = (body.c.municipality == delivery.c.municipality) & (body.c.body_id == delivery.c.body_id)
        wanted = sa.select(delivery, body.c.text).join(body, same)
        wanted = wanted.where(delivery.c.municipality == self.town)
        for name, value in only.items():
            wanted = wanted.where(delivery.c[name] == value)
        async with self.app.db.reading() as conn:
            found = await conn.execute(wanted.order_by(delivery.c.planned_at, delivery.c.message_id))
            return [dict(row) for row in found.mappings()]

    async def texts(self, **only: str) -> list[str]:
        return [row["text"] for row in await self.messages(**only)]

    async def code_of(self, person: str) -> str:
        """Return the code in the newest question to a person that still stands."""
        rows = await self.messages(recipient_id=person)
        standing = [
            row["text"] for row in rows if row["state"] not in {"withdrawn", "suppressed", "answered"}
        ]
        return next(found[0] for text in reversed(standing) if (found := CODE.findall(text)))

    async def carrier_takes(self, count: int | None = None, **only: str) -> list[str]:
        """Have planned messages accepted by a carrier; return whom they went to."""
        rows = [row for row in await self.messages(**only) if row["state"] == MessageState.PLANNED]
        taken = sorted(rows, key=lambda row: (row["lane"], row["rank"], row["message_id"]))[:count]
        now = self.clock.now()
        async with self.app.db.transaction() as conn:
            for row in taken:
                new = {
                    "state": "accepted",
                    "sending_at": now,
                    "accepted_at": now,
                    "sid": row["message_id"][-30:],
                }
                mine = delivery.c.message_id == row["message_id"]
                await conn.execute(sa.update(delivery).where(mine).values(new))
        return [row["recipient_id"] for row in taken]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Return what was handed to the outbox of one type, in order."""
        outbox = runtime.outbox
        async with self.app.db.reading() as conn:
            rows = (await conn.execute(sa.select(outbox).order_by(outbox.c.seq))).mappings().all()
        import json

        return [
            json.loads(row["value"])
            for row in rows
            if row["municipality"] == self.town
            and dict(unpack_headers(row["headers"]))["ce_type"] == kind.encode()
        ]

    async def decide(self, operator: str, verb: str, **more: Any) -> httpx.Response:
        """Have an operator sign a decision and post it."""
        fields = {
            "decision_id": f"d-{next(self._ids)}",
            "incident_id": "inc-1",
            "verb": verb,
            "operator_id": operator,
            "decided_at": self.clock.now(),
            "via": Via.CLI,
        }
        if verb == "approve" and "request_id" not in more:
            more |= await self._what_is_asked()
        decision = CoordinatorDecided.model_validate(fields | more)
        signature = operator_key(operator).sign(decision.signed_bytes(self.town))
        decision = decision.model_copy(update={"operator_signature": base64.b64encode(signature).decode()})
        said = {"municipality": self.town, "decision": decision.model_dump(mode="json", exclude_none=True)}
        return await self.post("/admin/v1/decisions", said)

    async def _what_is_asked(self) -> dict[str, Any]:
        """Return what the command line would show and sign; nothing where nothing waits."""
        for head in (await self.get("/admin/v1/warnings"))["items"]:
            asked = asked_in(await self.get(f"/admin/v1/warnings/{head['warning_id']}"))
            if asked is not None:
                return {"request_id": asked.request_id, "content_hash": asked.content_hash}
        return {}

    async def post(self, path: str, said: object) -> httpx.Response:
        async with self._client() as client:
            return await client.post(path, json=said, headers=ADMIN)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        async with self._client() as client:
            answer = await client.get(path, params={"municipality": self.town} | query, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app.http), base_url="http://notify")


def snapshot(
    at: datetime,
    *,
    version: int = 1,
    level: int = 3,
    previous: int = 0,
    zones: tuple[str, ...] = ("z-001",),
    corroboration: int = 1,
    kind: IncidentKind = IncidentKind.HAZARD,
    site: str | None = None,
    incident_id: str = "inc-1",
) -> IncidentClassified:
    """Return an incident as triage would say it."""
    evidence = Evidence(
        rule_id="r-001",
        sensor_id="g-001",
        site="s-001",
        property=Property.RIVER_LEVEL,
        value=3.11,
        unit="m",
        observed_at=at,
        received_at=at,
        level=Level(level),
    )
    return IncidentClassified(
        incident_id=incident_id,
        version=version,
        kind=kind,
        hazard=Hazard.FLOOD,
        state=IncidentState.OPEN,
        level=Level(level),
        previous_level=Level(previous),
        zones=() if site else zones,
        site=site,
        corroboration=corroboration,
        opened_at=at,
        observed_at=at,
        classified_at=at,
        rulebook_version="v1",
        reasons=(Reason(code="level.raised", text="Subió."),),
        evidence=(evidence,),
    )


@asynccontextmanager
async def rig(folder: Path, *, towns: tuple[str, ...] = ("alta",), **written: Any) -> AsyncIterator[Rig]:
    """Write towns, start notify on them, and stop it at the end."""
    places = folder / "municipalities"
    for town in towns:
        write_town(places, town, **({"zones": 3, "residents_per_zone": 5} | written))
    async with opened(folder, places) as made:
        yield made


@asynccontextmanager
async def opened(folder: Path, places: Path, settings: Mapping[str, Any] | None = None) -> AsyncIterator[Rig]:
    """Start notify on folders that are written already."""
    keys = folder / "keys"
    generate_keys(keys, ("triage", "notify"))
    clock = HandClock(START)
    told = {
        "admin_token": SecretStr("rig-token"),
        "phone_key": SecretStr(base64.b64encode(b"k" * 32).decode()),
        "keys_dir": keys,
        "data_dir": folder,
    }
    url = DATABASE.get() or f"sqlite:///{folder / 'notify.sqlite'}"
    db = Database(migrated(url, "notify"), schema="notify")
    app = App(
        NotifySettings(**(told | dict(settings or {}))),
        db=db,
        clock=clock,
        municipalities=load_all(places),
        verifier=load_verifier(keys),
    )
    await app.start()
    try:
        yield Rig(app, clock, load_signer(keys, "triage"))
    finally:
        await db.close()
