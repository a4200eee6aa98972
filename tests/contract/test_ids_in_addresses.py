"""Whatever stands for an id in a path or query: every door answers with less than 500, on both databases."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from services.runtime.provision import provision
from tests.contract.doors import TOWN, WITH_DATABASE, client, opened, routes
from tests.support.postgres import PostgresCluster, fresh_database, postgres  # noqa: F401 - a fixture

CONTROLS = ("\x00", "\n", "\r\n", "\t", "\x1b", "\x7f")
STRANGE = (
    "' OR 1=1 --",
    "../../etc/passwd",
    "%00",
    "\u2028",
    "\U0001f600",
    "ñ" * 300,
    "9" * 400,
    "-1",
    "1e999",
    "2026-13-45T99:99:99Z",
    "null",
    "*",
)
PARAMETER = re.compile(r"\{[^}]+\}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def doors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, FastAPI]]:
    if request.param == "sqlite":
        async with opened(tmp_path) as every:
            yield every
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    async with fresh_database(cluster) as url:
        urls = await provision(url, WITH_DATABASE, secret="for tests")
        async with opened(tmp_path, urls) as every:
            yield every


def addresses(path: str, names: tuple[str, ...], value: str) -> list[tuple[str, dict[str, str]]]:
    """Return the route's address with the value in its path, and in each of its query's parameters."""
    town = {"municipality": TOWN} if "municipality" in names else {}
    filled = PARAMETER.sub(quote(value, safe=""), path)
    plain = PARAMETER.sub("x", path)
    in_path = [(filled, town)] if filled != path else []
    return in_path + [(plain, town | {name: value}) for name in names]


async def test_a_control_character_is_refused_everywhere(doors: dict[str, FastAPI]) -> None:
    """400 as a problem document, on every route of every process, whatever parameter it stands in."""
    asked = 0
    for name, http in doors.items():
        async with client(http) as door:
            for method, path, names in routes(http):
                for control in CONTROLS:
                    for address, query in addresses(path, (*names, "no_such"), f"a{control}b"):
                        answer = await door.request(method, address, params=query)
                        said = (answer.status_code, answer.headers["content-type"])
                        assert (400, "application/problem+json") == said, (name, method, path, control)
                        asked += 1
    assert asked > 1_000


async def test_no_strange_id_is_our_fault(doors: dict[str, FastAPI]) -> None:
    """What is no id here is not found, refused or empty; a bug of ours would be 500."""
    faults = []
    for name, http in doors.items():
        async with client(http) as door:
            for method, path, names in routes(http):
                for value in STRANGE:
                    for address, query in addresses(path, names, value):
                        if query.get("wait_s"):  # the spool may be asked to wait for news
                            continue
                        answer = await door.request(method, address, params=query)
                        if answer.status_code >= 500:
                            faults.append(f"{name} {method} {path} {query or value!r}: {answer.status_code}")
    assert [] == faults


NUL = "a\x00b"
READING = {
    "sensor_id": "g-001",
    "property": "river_level",
    "value": 1.0,
    "unit": "m",
    "observed_at": "2026-05-05T08:00:00Z",
}
REPORT = {
    "municipality": TOWN,
    "event_id": "e-1",
    "category": "OTRO",
    "text": "hay agua",
    "reported_at": "2026-05-05T08:00:00Z",
    "channel": "web",
}
DECISION = {
    "decision_id": "d-1",
    "incident_id": "i-1",
    "verb": "close",
    "operator_id": "ana",
    "decided_at": "2026-05-05T08:00:00Z",
    "via": "cli",
}


async def test_nul_in_a_body_is_no_fault_of_ours(doors: dict[str, FastAPI]) -> None:
    """In each field of what strangers and operators send: refused, set aside or cleaned, never 500."""
    async with client(doors["ingest"]) as ingest, client(doors["notify"]) as notify:
        made = await ingest.post("/admin/v1/keys", json={"municipality": TOWN, "name": "contract"})
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        sent = [
            await ingest.post("/v1/readings", json=READING | {name: NUL} | more, headers=key)
            for name in (*READING, "event_id", "quality", "no_such")
            for more in ({}, {"sensor_id": "unknown"})
        ]
        sent += [await ingest.post("/v1/reports", json=REPORT | {name: NUL}) for name in (*REPORT, "no_such")]
        sent += [
            await ingest.post("/admin/v1/keys", json={"municipality": TOWN, "name": "contract", name: NUL})
            for name in ("municipality", "name")
        ]
        sent += [
            await notify.post(
                "/admin/v1/decisions", json={"municipality": TOWN, "decision": DECISION | {name: NUL}}
            )
            for name in (*DECISION, "reason", "request_id")
        ]
    assert [] == [answer.request.content for answer in sent if answer.status_code >= 500]
