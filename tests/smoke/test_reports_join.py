"""What somebody reports travels over a real Apache Kafka: into the incident, and back to its status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from municipio.client import Client
from municipio.decisions import decision_of, hand_over, ruling_of, signed, town_now
from municipio.ports import Ports
from municipio.stack import Stack
from tests.support.towns import operator_key, write_town

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(180)]

TOWN = "alta"
WITHIN_S = 60.0
CHILD = "Hay un niño atrapado en el techo"
T = TypeVar("T")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    write_town(tmp_path / "towns", TOWN, zones=1, residents_per_zone=1, silent_after="PT23H")
    with Stack(tmp_path / "data", ports=Ports.free(), municipalities_dir=tmp_path / "towns") as started:
        started.ready()
        yield started


def test_a_report_joins_the_gauges_incident_and_its_status_ends_true(stack: Stack) -> None:
    """One incident holds gauge and child; who reported sees that it is attended to, and that it ended."""
    client = stack.client()
    read(stack, client, 2.6)
    incident = eventually(lambda: only(client, "state", "open"))
    report = post(stack, "/v1/reports", report_at(town_now(client)), {}).json()["report_id"]
    joined = eventually(lambda: only(client, "version", 2))
    assert incident["incident_id"] == joined["incident_id"]
    attended = eventually(lambda: status_of(stack, report, "in_attention"))
    assert attended["status"] == "in_attention"
    read(stack, client, 1.0)
    assert "applied" == close(client, joined["incident_id"])
    ended = eventually(lambda: status_of(stack, report, "closed"))
    assert "incident_closed" == ended["outcome"]["code"]


def read(stack: Stack, client: Client, value: float) -> None:
    reading = {
        "sensor_id": "g-001",
        "property": "river_level",
        "value": value,
        "unit": "m",
        "observed_at": town_now(client),
    }
    post(stack, "/v1/readings", reading, {"Authorization": f"Bearer {stack.source_key(TOWN)}"})


def report_at(now: str) -> dict[str, Any]:
    return {
        "municipality": TOWN,
        "event_id": "smoke-000001",
        "category": "OTRO",
        "text": CHILD,
        "zone": "z-001",
        "reported_at": now,
        "channel": "web",
    }


def post(stack: Stack, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
    answer = httpx.post(f"{stack.urls['ingest']}{path}", json=body, headers=headers, trust_env=False)
    assert answer.status_code in {201, 202}, answer.text
    return answer


def only(client: Client, field: str, value: object) -> dict[str, Any] | None:
    """Return the town's one incident once it says so."""
    found = client.items("triage", "/admin/v1/incidents", municipality=TOWN)
    assert len(found) < 2
    return next((row for row in found if row[field] == value), None)


def status_of(stack: Stack, report: str, status: str) -> dict[str, Any] | None:
    answer = httpx.get(f"{stack.urls['ingest']}/v1/reports/{report}", trust_env=False)
    said = dict(answer.raise_for_status().json())
    return said if said["status"] == status else None


def close(client: Client, incident_id: str) -> str:
    said = decision_of(
        "ana", {"incident_id": incident_id, "verb": "close", "reason": "smoke"}, town_now(client)
    )
    decision = signed(said, TOWN, operator_key("ana"))
    hand_over(client, TOWN, decision)
    return str(ruling_of(client, TOWN, decision.decision_id, WITHIN_S)["ruling"])


def eventually(look: Callable[[], T | None]) -> T:
    """Return what is there within a minute: three services and a broker stand between."""
    until = time.monotonic() + WITHIN_S
    while (found := look()) is None:
        assert time.monotonic() < until, "not within a minute"
        time.sleep(0.1)
    return found
