"""R23: whatever goes wrong, no number, name or word of a person is written into a log or a metric."""

from __future__ import annotations

import asyncio
import itertools

import httpx

from tests.chaos.campaign import NEIGHBOUR, SURNAME, TOWN, Json, Order, Outcome, Scene, Trial, play
from tests.chaos.carrying import follow
from tests.chaos.kills import Killer

EVERY_S = 0.25
# The carrier errs with the numbers in its answers, hangs and resets: each way our client can fail.
PLAN = {
    "fail_before_share": 0.05,
    "fail_after_share": 0.05,
    "reset_after_share": 0.05,
    "busy_share": 0.05,
    "callback_forge_share": 0.1,
    "suffix_codes": {"3": 30006, "7": 21610},
}


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _trouble(scene: Scene) -> Outcome:
    outcome = Outcome()
    await follow(scene.stack.urls["carrier"], {**PLAN, "seed": scene.order.seed})
    killer = Killer(scene.stack)
    async with asyncio.TaskGroup() as tasks:
        provoking = tasks.create_task(_provoke(scene, outcome))
        await killer.play(scene.told.kills, lambda: scene.load.done)
        await scene.load_at(1.0)
        provoking.cancel()
    outcome.kills = len(killer.recovered_s)
    outcome.recovered_s = [seconds for _, seconds in killer.recovered_s]
    return outcome


async def _be_honest(scene: Scene, _outcome: Outcome) -> None:
    """Each answer that is missing holds the clock up for ten seconds."""
    lasting = {
        name: value for name, value in PLAN.items() if name in {"callback_forge_share", "suffix_codes"}
    }
    await follow(scene.stack.urls["carrier"], {**lasting, "seed": scene.order.seed})


async def _provoke(scene: Scene, outcome: Outcome) -> None:
    """Send what must be refused, full of people's data, to every door, again and again."""
    phones = [phone for each in scene.town.residents.values() for phone in each]
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        for turn in itertools.count():
            phone = phones[turn % len(phones)]
            for request in _refusable(scene, http, phone, f"Ana {SURNAME}"):
                try:
                    outcome.fired += (await http.send(request)).status_code >= 400
                except httpx.TransportError:
                    continue  # A process that was just killed.
            await asyncio.sleep(EVERY_S)


def _refusable(scene: Scene, http: httpx.AsyncClient, phone: str, name: str) -> list[httpx.Request]:
    urls = scene.stack.urls
    source = {"Authorization": f"Bearer {scene.stack.source_key(TOWN)}"}
    admin = {"Authorization": f"Bearer {scene.stack.admin_token}"}
    said = f"Soy {name}, mi telefono es {phone}: el agua entra en mi casa"
    reading = {"sensor_id": name, "property": phone, "value": said, "unit": "m", "observed_at": phone}
    report = {"municipality": NEIGHBOUR, "text": said, "phone": phone, "name": name, "where": [phone]}
    message = {"From": phone, "To": phone, "Body": said, "MessageSid": phone}
    decision = {"operator_id": name, "verb": phone, "reason": said}
    return [
        http.build_request("POST", f"{urls['ingest']}/v1/readings", json=[reading], headers=source),
        http.build_request("POST", f"{urls['ingest']}/v1/readings", content=said.encode(), headers=source),
        http.build_request("POST", f"{urls['ingest']}/v1/reports", json=report, headers=source),
        http.build_request("GET", f"{urls['ingest']}/v1/reports/{phone}"),
        http.build_request("POST", f"{urls['door']}/twilio/message-in", data=message),
        http.build_request("POST", f"{urls['door']}/twilio/message-status?m={phone}", data=message),
        http.build_request("POST", f"{urls['door']}/twilio/voice/{phone}", data=message),
        http.build_request("GET", f"{urls['door']}/a/{phone}"),
        http.build_request("POST", f"{urls['notify']}/admin/v1/decisions", json=decision, headers=admin),
        http.build_request("GET", f"{urls['notify']}/admin/v1/messages?municipality={phone}", headers=admin),
        http.build_request("POST", f"{urls['triage']}/admin/v1/{phone}", json=decision, headers=admin),
    ]


TRIAL = Trial(
    "R23",
    _trouble,
    rounds={"ci": 40, "night": 200},
    deaths={"ci": 9, "night": 40},
    environment={"MUNICIPIO_CARRIER_TIMEOUT_S": "3"},
    duplicate_pct_most=0.5,
    calm=_be_honest,
)
