"""A whole deployment in one process, for stories: real handlers, real databases, a carrier with phones.

    with Town(tmp_path, municipalities) as town:
        town.gauge("rc-puente").reads(3.10)
        town.phone("ana").expects_sms("flood").stays_silent()
        town.wait(minutes=2)

Only two parts are not the real ones: the broker is a list (``Pipe``) and the clock moves by hand. ``wait``
goes from one due moment to the next and lets everything settle there, so no story sleeps.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx
from pydantic import SecretStr

from municipio.decisions import asked_in, decision_of, signed
from municipio.keyring import make_keys
from schemas.events.decisions import CoordinatorDecided
from schemas.municipality import Municipality, load_all
from schemas.topics import DECISIONS, INCIDENTS, READINGS, REPORTS
from services.ingest.app import App as Ingest
from services.ingest.outbound.catalogue import read_catalogue
from services.ingest.settings import IngestSettings
from services.notify.app import App as Notify
from services.notify.inbound.door import Door
from services.notify.inbound.spool_pull import SpoolPull, door_client
from services.notify.outbound.carrier import TwilioCarrier
from services.notify.outbound.spool import Spool
from services.notify.outbound.twilio_http import BoundedTwilioHttp, Reach
from services.notify.settings import NotifySettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.health import Health
from services.triage.app import App as Triage
from services.triage.settings import TriageSettings
from tests.support.fake_twilio import CarrierSettings as FakeSettings
from tests.support.fake_twilio import FakeCarrier
from tests.support.fake_twilio.clock import HandClock as CarrierClock
from tests.support.fake_twilio.wire import listening
from tests.support.migrated import migrated
from tests.support.phones import Phone, Phones
from tests.support.pipe import Pipe
from tests.support.towns import operator_key

START: Final = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)  # 02:00 in El Salvador, a weekday night
ADMIN: Final = "story-admin-token"
MOST_ROUNDS: Final = 200
CARRIER_S: Final = 5.0
TICK_AT_LEAST: Final = timedelta(hours=1)
TICK: Final = ("ce_type", b"clock.ticked")
ACCOUNT: Final = "AC" + "1" * 32
TOKEN: Final = "story-carrier-token"


class Town:
    """One deployment serving every municipality under ``municipalities``.

    Attributes:
        phones: Every phone of the carrier; ``nothing_else`` is called when a story ends well.
        pipe: The broker; ``is_down`` stops it.
    """

    def __init__(
        self,
        data: Path,
        municipalities: Path,
        *,
        at: datetime = START,
        main: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.data, self.municipalities, self._more = data, municipalities, dict(settings or {})
        self.clock = HandClock(at)
        self.pipe = Pipe()
        make_keys(data / "keys", municipalities)
        self.folders: dict[str, Municipality] = dict(load_all(municipalities, keys_dir=data / "keys"))
        self.main = main or sorted(self.folders)[0]
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._keys: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._at_rest: object = None
        self._heard: int | None = None

    # How a story speaks.

    def gauge(self, sensor_id: str, municipality: str | None = None) -> Gauge:
        return Gauge(self, municipality or self.main, sensor_id)

    def phone(self, person_id: str, municipality: str | None = None) -> Phone:
        """Return the phone of a person on duty."""
        return self.phones[self.folder(municipality).person_of[person_id].phone]

    def residents(self, zone: str, municipality: str | None = None) -> list[str]:
        """Return the numbers of a zone's residents, nearest to the danger first."""
        rows = [row for row in self.folder(municipality).residents if row.zone == zone]
        return [row.phone for row in sorted(rows, key=lambda row: row.distance_m)]

    def folder(self, municipality: str | None = None) -> Municipality:
        return self.folders[municipality or self.main]

    def wait(self, *, minutes: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Let town time pass, stopping wherever something is due."""
        self._run(
            self._wait_until(self.clock.now() + timedelta(minutes=minutes, hours=hours, seconds=seconds))
        )

    def settle(self) -> None:
        """Let everything that is due now happen, in every service and at the carrier."""
        self._run(self._settle())

    def _look(self) -> None:
        """Settle, unless nothing can have happened since all came to rest."""
        if self.carrier.due_in_s() == 0 or self._at_rest != self._state():
            self.settle()

    def _state(self) -> object:
        return self.clock.now(), len(self.carrier.ledger.entries), self.pipe.is_down

    def reports(self, text: str | None = None, municipality: str | None = None, **fields: Any) -> str:
        """Let somebody report from the town's own page; return the number that opens its public status."""
        answer = self.tries_to_report(text, municipality, **fields)
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["report_id"])

    def tries_to_report(
        self, text: str | None = None, municipality: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Send a report and return the door's answer; ``fields`` stand in the body as they are."""
        body = {
            "municipality": municipality or self.main,
            "event_id": f"historia-{next(self._numbers):06d}",
            "category": "OTRO",
            "text": text,
            "reported_at": self.clock.now().isoformat(),
            "channel": "web",
            **fields,
        }
        said = {name: value for name, value in body.items() if value is not None}
        answer: httpx.Response = self._run(
            self._request(self.ingest.http, "POST", "/v1/reports", json=said, headers={})
        )
        self.settle()
        return answer

    def report_status(self, report_id: str) -> dict[str, Any]:
        """Return what the public is told of a report."""
        answer = self._run(self._request(self.ingest.http, "GET", f"/v1/reports/{report_id}", headers={}))
        answer.raise_for_status()
        return dict(answer.json())

    def incidents(self, municipality: str | None = None) -> list[dict[str, Any]]:
        query = {"municipality": municipality or self.main}
        return list(self._get(self.triage.http, "/admin/v1/incidents", query)["items"])

    def warnings(self, municipality: str | None = None) -> list[dict[str, Any]]:
        query = {"municipality": municipality or self.main}
        return list(self._get(self.notify.http, "/admin/v1/warnings", query)["items"])

    def tasks(self, municipality: str | None = None) -> list[dict[str, Any]]:
        query = {"municipality": municipality or self.main}
        return list(self._get(self.notify.http, "/admin/v1/tasks", query)["items"])

    def decides(
        self, operator: str, incident_id: str, verb: str, *, municipality: str | None = None, **fields: Any
    ) -> str:
        """Let an operator decide by command line; return ``applied``, ``refused`` or ``expired``."""
        decision = self.decision(operator, incident_id, verb, municipality=municipality, **fields)
        self.hands_over(decision, municipality)
        return self.ruling(decision, municipality)

    def decision(
        self, operator: str, incident_id: str, verb: str, *, municipality: str | None = None, **fields: Any
    ) -> CoordinatorDecided:
        told = {"incident_id": incident_id, "verb": verb, "reason": "historia", **fields}
        if verb == "approve" and "content_hash" not in told:
            told |= self._what_is_asked(incident_id, municipality)
        decided = decision_of(operator, told, told.pop("decided_at", self.clock.now()))
        return signed(decided, municipality or self.main, operator_key(operator))

    def _what_is_asked(self, incident_id: str, municipality: str | None) -> dict[str, Any]:
        """Return what the command line would show and sign; nothing where nothing waits."""
        town = municipality or self.main
        for head in self.warnings(town):
            path = f"/admin/v1/warnings/{head['warning_id']}"
            asked = asked_in(self._get(self.notify.http, path, {"municipality": town}))
            if asked is not None and head["incident_id"] == incident_id:
                return {"request_id": asked.request_id, "content_hash": asked.content_hash}
        return {}

    def hands_over(self, decision: CoordinatorDecided, municipality: str | None = None) -> httpx.Response:
        answer: httpx.Response = self._run(self._hand_over(decision, municipality))
        self.settle()
        return answer

    def ruling(self, decision: CoordinatorDecided, municipality: str | None = None) -> str:
        query = {"municipality": municipality or self.main}
        return str(
            self._get(self.notify.http, f"/admin/v1/decisions/{decision.decision_id}", query)["ruling"]
        )

    def hands_over_unseen(self, decision: CoordinatorDecided, municipality: str | None = None) -> None:
        """Hand a decision over and stop the world there: nothing has left for the carrier yet."""
        self._run(self._hand_over(decision, municipality)).raise_for_status()
        self._at_rest = None

    def rows(self, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask, or tamper with, a service's database behind its back."""
        with contextlib.closing(sqlite3.connect(self.data / f"{service}.sqlite", timeout=5)) as db, db:
            return db.execute(query, values).fetchall()

    def restart(self, service: str) -> None:
        """End a service as ``kill -9`` does and start it on what it left behind."""
        self._run(self._restart(service))

    # How the parts hang together.

    def __enter__(self) -> Town:
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.phones.nothing_else()
        finally:
            self._run(self._stack.aclose())
            self._runner.close()

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)

    def _get(self, app: Any, path: str, query: dict[str, str]) -> dict[str, Any]:
        answer = self._run(self._request(app, "GET", path, params=query))
        answer.raise_for_status()
        return dict(answer.json())

    async def _request(self, app: Any, method: str, path: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {"Authorization": f"Bearer {ADMIN}"})
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://story") as client:
            return await client.request(method, path, headers=headers, **more)

    async def _start(self) -> None:
        self.carrier = FakeCarrier(
            FakeSettings(account_sid=ACCOUNT, auth_token=TOKEN), clock=CarrierClock(self.clock.now)
        )
        self.phones = Phones(self.carrier, pump=self._look)
        carrier_url = await self._stack.enter_async_context(self.carrier.serving())
        self._told = {
            "data_dir": self.data,
            "municipalities_dir": self.municipalities,
            "admin_token": SecretStr(ADMIN),
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_token": SecretStr(TOKEN),
            "twilio_api_base": carrier_url,
            "sms_segments_per_s": 10_000,
            "calls_per_s": 1_000,
            "unresolved_after_s": 0,
            "phone_key": SecretStr(base64.b64encode(b"k" * 32).decode()),
        } | self._more
        await self._open_door()
        await self._start_ingest()
        await self._start_triage()
        await self._start_notify()
        for town in self.folders:
            body = {"municipality": town, "name": "historia"}
            answer = await self._request(self.ingest.http, "POST", "/admin/v1/keys", json=body)
            answer.raise_for_status()
            self._keys[town] = answer.json()["key"]
        await self._settle()

    async def _open_door(self) -> None:
        from services.notify.carrier_settings import CarrierSettings

        # The door's public address is known only once it listens, and it checks signatures against it.
        spool = Spool(self.data / "door.sqlite")
        self._stack.push_async_callback(spool.close)
        holder: dict[str, Any] = {}

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await holder["door"].http(scope, receive, send)

        url = await self._stack.enter_async_context(listening(application, "127.0.0.1", 0))
        self._told |= {"public_url": url, "door_url": url}
        holder["door"] = Door(CarrierSettings(**self._told), spool, self.clock, Health("door"))
        self.carrier.message_in_at(f"{url}/twilio/message-in")

    async def _start_ingest(self) -> None:
        settings = IngestSettings(**self._told)
        db = self._database("ingest")
        self.ingest = Ingest(
            settings,
            db=db,
            clock=self.clock,
            catalogue=read_catalogue(settings),
            publisher=self.pipe,
            wall=self.clock.now,
        )
        await db.migrate("ingest")
        await self.ingest.ticker.load()

    async def _start_triage(self) -> None:
        self.triage = Triage(
            TriageSettings(**self._told),
            db=self._database("triage"),
            clock=self.clock,
            municipalities=self.folders,
            make_publisher=self._publisher,
        )
        await self.triage.start()

    async def _start_notify(self) -> None:
        settings = NotifySettings(**self._told)
        self.notify = Notify(
            settings,
            db=self._database("notify"),
            clock=self.clock,
            municipalities=self.folders,
            make_publisher=self._publisher,
        )
        await self.notify.start()
        reach = Reach(production=False, base=settings.twilio_api_base, allow_numbers=frozenset())
        http = BoundedTwilioHttp(reach, base=settings.twilio_api_base, total_s=5, limit=64)
        carrier = TwilioCarrier(ACCOUNT, TOKEN, http, settings.public_url)
        self._stack.push_async_callback(carrier.close)
        await self.notify.send_through(carrier).recover()
        door = door_client(settings.door_url, ADMIN)
        self._stack.push_async_callback(door.aclose)
        app = self.notify
        self.pull = SpoolPull(app.db, app.cipher, door, app.resolver.town_of, app.resolver.wake)

    def _database(self, service: str) -> Database:
        db = Database(migrated(f"sqlite:///{self.data / service}.sqlite", service))
        self._stack.push_async_callback(db.close)
        return db

    async def _publisher(self) -> Pipe:
        return self.pipe

    async def _hand_over(self, decision: CoordinatorDecided, municipality: str | None) -> httpx.Response:
        said = decision.model_dump(mode="json", exclude_none=True)
        body = {"municipality": municipality or self.main, "decision": said}
        return await self._request(self.notify.http, "POST", "/admin/v1/decisions", json=body)

    async def _restart(self, service: str) -> None:
        await {"ingest": self._start_ingest, "triage": self._start_triage, "notify": self._start_notify}[
            service
        ]()
        await self._settle()

    async def _wait_until(self, end: datetime) -> None:
        while self.clock.now() < end:
            self.clock.set(min(end, await self._next_stop()))
            await self._settle()

    async def _next_stop(self) -> datetime:
        """Return when to look next: the next due time; what the carrier does in lots; a tick now and then."""
        async with self.notify.db.reading() as conn:
            notify = await self.notify.timers.next_due(conn)
        async with self.triage.db.reading() as conn:
            triage = await self.triage.timers.next_due(conn)
        now, carrier_s = self.clock.now(), self.carrier.due_in_s()
        carrier = now + timedelta(seconds=max(CARRIER_S, carrier_s)) if carrier_s is not None else None
        due = [at for at in (notify, triage, carrier) if at is not None and at > now]
        return min([*due, now + TICK_AT_LEAST])

    async def _settle(self) -> None:
        for _ in range(MOST_ROUNDS):
            if not await self._round():
                self._at_rest = self._state()
                return
        raise AssertionError("the town does not come to rest")

    async def _round(self) -> int:
        """Let everybody act once, in the order in which news travel; return how much happened.

        A tick that nobody makes anything of is nothing: quiet hours would be looked at twice.
        """
        moved = await self.carrier.settle()
        await self._publish(self.ingest)
        moved += await self._deliver("triage", self.triage, (REPORTS.name, READINGS.name, DECISIONS.name))
        moved += await self._deliver("ingest", self.ingest, (INCIDENTS.name, REPORTS.name))
        moved += await self.triage.timers.fire_due() + await self._publish(self.triage)
        moved += await self._deliver("notify", self.notify, (INCIDENTS.name, DECISIONS.name))
        moved += await self._answers() + await self.notify.timers.fire_due()
        assert self.notify.sender is not None
        return moved + await self.notify.sender.turn() + await self._publish(self.notify)

    async def _publish(self, app: Any) -> int:
        return 0 if self.pipe.is_down else int(await app.relay.drain())

    async def _answers(self) -> int:
        """Take what phones and carrier told the door; nothing, while the carrier has done nothing."""
        if self._heard == (done := len(self.carrier.ledger.entries)):
            return int(await self.notify.resolver.turn())
        moved = await self.pull.pull()
        self._heard = None if moved else done
        return moved + int(await self.notify.resolver.turn())

    async def _deliver(self, consumer: str, app: Any, topics: Sequence[str]) -> int:
        count = 0
        for topic in topics:
            records = self.pipe.unread(consumer, topic)
            count += sum(TICK not in record.headers for record in records)
            if records:
                try:
                    await app.consume(topic, records)
                except BaseException:
                    self.pipe.give_back(consumer, topic, len(records))
                    raise
        return count

    async def post(self, municipality: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._keys[municipality]}"}
        return await self._request(self.ingest.http, "POST", "/v1/readings", json=body, headers=headers)


class Gauge:
    """A gauge that reads something, now or at another time."""

    def __init__(self, town: Town, municipality: str, sensor_id: str) -> None:
        self._town, self._municipality, self.sensor_id = town, municipality, sensor_id

    def reads(self, *values: float, at: datetime | None = None, every_min: float = 5) -> None:
        """Send one reading, or several with town time passing between them."""
        for place, value in enumerate(values):
            if place:
                self._town.wait(minutes=every_min)
            self.sends(value, at=at)

    def sends(self, value: float, *, at: datetime | None = None) -> dict[str, Any]:
        """Send one reading and return the door's answer."""
        body = {
            "sensor_id": self.sensor_id,
            "property": "river_level",
            "value": value,
            "unit": "m",
            "observed_at": (at or self._town.clock.now()).isoformat(),
        }
        answer = self._town._run(self._town.post(self._municipality, body))
        assert answer.status_code == 202, answer.text
        self._town.settle()
        return dict(answer.json())
