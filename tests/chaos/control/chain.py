"""``python -m tests.chaos.control.chain ingest|triage|notify``: the same path as one would write it in a day.

FastStream with its defaults, handlers that do their work and return, the carrier's own client with a plain
retry, state in memory. What this chain loses and repeats is what the campaign has to be able to see.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI
from faststream import FastStream
from faststream.kafka import KafkaBroker
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from tests.support.fake_twilio.settings import DEFAULT_ACCOUNT, DEFAULT_TOKEN

Json = dict[str, Any]

READINGS, INCIDENTS = "plain.readings", "plain.incidents"
ACT_M, ACT_LEVEL = 3.0, 3
SENDER = "+50370000000"
TRIES, AGAIN_S, TIMEOUT_S = 5, 0.2, 2.0


def text_of(incident_id: str, zone: str) -> str:
    return f"El rio se desborda en {zone}. Salga YA. Ref {incident_id[:8]}"


class ToTheFake(TwilioHttpClient):
    """The stock client, sent to another host."""

    def request(self, method: str, url: str, *words: Any, **named: Any) -> Response:
        return super().request(
            method, url.replace("https://api.twilio.com", os.environ["CARRIER"]), *words, **named
        )


def ingest(broker: KafkaBroker) -> None:
    """Publish each reading, then answer."""

    @contextlib.asynccontextmanager
    async def connected(_app: FastAPI) -> AsyncIterator[None]:
        await broker.start()
        yield
        await broker.stop()

    app = FastAPI(lifespan=connected)

    @app.post("/v1/readings", status_code=202)
    async def take(rows: list[Json]) -> Json:
        for row in rows:
            await broker.publish(row, READINGS, key=row["sensor_id"].encode())
        return {"rejected_count": 0}

    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")


def triage(broker: KafkaBroker) -> None:
    """Count every reading, and open an incident where a gauge crosses the level of action."""
    folder = Path(os.environ["FOLDER"])
    above: set[str] = set()

    @broker.subscriber(READINGS, group_id="plain-triage")
    async def on_reading(row: Json) -> None:
        _write(folder / "counted.ndjson", row)
        if row["value"] < ACT_M or row["sensor_id"] in above:
            return
        above.add(row["sensor_id"])
        zone = row["sensor_id"].replace("g-", "z-")
        incident = {"incident_id": str(uuid.uuid4()), "zone": zone, "opened_at": row["observed_at"]}
        _write(folder / "incidents.ndjson", incident)
        await broker.publish(incident, INCIDENTS)

    _consume(broker, folder / "triage.up")


def notify(broker: KafkaBroker) -> None:
    """Text everybody of the zone, and the person on duty."""
    phones = json.loads(Path(os.environ["FOLDER"], "phones.json").read_text())
    client = Client(DEFAULT_ACCOUNT, DEFAULT_TOKEN, http_client=ToTheFake(timeout=TIMEOUT_S))

    @broker.subscriber(INCIDENTS, group_id="plain-notify")
    def on_incident(incident: Json) -> None:
        for recipient, phone in phones[incident["zone"]].items():
            _send(client, incident, recipient, phone)

    _consume(broker, Path(os.environ["FOLDER"], "notify.up"))


def _consume(broker: KafkaBroker, up: Path) -> None:
    """Run until told to end; ``up`` is there once the broker knows of us."""
    app = FastStream(broker)
    app.after_startup(up.touch)
    asyncio.run(app.run())


def _send(client: Client, incident: Json, recipient: str, phone: str) -> None:
    text = text_of(incident["incident_id"], incident["zone"])
    callback = callback_of(os.environ["TOWN"], f"{incident['incident_id']}.{recipient}")
    for _ in range(TRIES):
        try:
            client.messages.create(to=phone, from_=SENDER, body=text, status_callback=callback)
        except (TwilioException, requests.RequestException):
            time.sleep(AGAIN_S)
        else:
            return


def callback_of(town: str, message_id: str) -> str:
    """Return a callback URL that names town and message as ours do, so that the oracle can read it."""
    said = "\n".join((town, message_id, "1", "sms", "page", "es"))
    token = base64.urlsafe_b64encode(said.encode()).rstrip(b"=").decode()
    return f"http://127.0.0.1:9/twilio/message-status?m={token}.c2ln"


def _write(path: Path, row: Json) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    {"ingest": ingest, "triage": triage, "notify": notify}[sys.argv[1]](KafkaBroker(os.environ["BOOTSTRAP"]))
