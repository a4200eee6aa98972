"""Triage's admin doors."""

from __future__ import annotations

import struct
from pathlib import Path

import httpx
import pytest
import xxhash

from schemas.vocabulary import Verb
from tests.unit.triage.town import Desk, at, decision, load, reading

TOKEN = {"Authorization": "Bearer an admin token"}


@pytest.fixture
async def desk(tmp_path: Path):
    made = Desk(tmp_path, [load(tmp_path / "towns", town, confirm=2) for town in ("villa", "puerto")])
    await made.app.start()
    yield made
    await made.app.db.close()


@pytest.fixture
async def door(desk: Desk):
    transport = httpx.ASGITransport(app=desk.app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://triage", headers=TOKEN) as client:
        yield client


async def test_admin_asks_for_the_token(desk: Desk, door: httpx.AsyncClient) -> None:
    for route in ("status", "quiescence", "incidents", "incidents/x", "verdicts", "changes", "dead-letters"):
        answer = await door.get(f"/admin/v1/{route}", headers={"Authorization": "Bearer no"})
        assert answer.status_code == 401


async def test_incident_is_shown_with_all_its_versions(desk: Desk, door: httpx.AsyncClient) -> None:
    """List and single incident, only of the town that was asked for."""
    await desk.measure("villa", reading(1, 0, 3.1), reading(2, 5, 3.2))
    await desk.measure("villa", reading(3, 10, 3.7), reading(4, 15, 3.7))
    listed = (await door.get("/admin/v1/incidents", params={"municipality": "villa", "state": "open"})).json()
    (incident,) = listed["items"]
    assert (incident["level"], incident["label"], listed["next"]) == (4, "Impacto", None)
    route = f"/admin/v1/incidents/{incident['incident_id']}"
    whole = (await door.get(route, params={"municipality": "villa"})).json()
    assert [one["version"] for one in whole["versions"]] == [1, 2]
    assert (await door.get(route, params={"municipality": "puerto"})).status_code == 404
    assert (await door.get("/admin/v1/incidents", params={"municipality": "puerto"})).json()["items"] == []


async def test_pages_follow_one_another(desk: Desk, door: httpx.AsyncClient) -> None:
    for sensor in ("g-001", "g-002", "g-003"):
        await desk.measure("villa", reading(1, 0, 3.1, sensor=sensor), reading(2, 5, 3.2, sensor=sensor))
    for route in ("incidents", "verdicts", "changes"):
        whole = (await door.get(f"/admin/v1/{route}", params={"municipality": "villa"})).json()["items"]
        seen, cursor = [], None
        for _ in range(len(whole) + 1):
            asked = {"municipality": "villa", "limit": 1, **({"cursor": cursor} if cursor else {})}
            page = (await door.get(f"/admin/v1/{route}", params=asked)).json()
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == whole


@pytest.mark.parametrize(
    ("route", "asked", "status"),
    [
        ("incidents", {"municipality": "nowhere"}, 404),
        ("incidents", {}, 422),
        ("incidents", {"municipality": "villa", "cursor": "x"}, 422),
        ("incidents", {"municipality": "villa", "limit": 0}, 422),
        ("changes", {"municipality": "villa", "cursor": "x"}, 422),
    ],
)
async def test_wrong_question_is_told_so(
    door: httpx.AsyncClient, route: str, asked: dict[str, object], status: int
) -> None:
    assert (await door.get(f"/admin/v1/{route}", params=asked)).status_code == status


async def test_proof_can_be_computed_from_the_clients_own_log(desk: Desk, door: httpx.AsyncClient) -> None:
    """Count and hash need nothing but what was sent; the order does not matter."""
    sent = [reading(1, 0, 3.1), reading(2, 5, 3.2), reading(3, 10, 2.0)]
    await desk.measure("villa", sent[0], sent[2], sent[1])
    (proof,) = (await door.get("/admin/v1/verdicts", params={"municipality": "villa"})).json()["items"]
    expected = 0
    for one in sent:
        seed = xxhash.xxh3_64(f"{one.sensor_id}|{one.property}".encode()).intdigest()
        doubles = struct.pack("<dd", one.observed_at.timestamp(), one.value)
        expected += xxhash.xxh3_64(doubles, seed=seed).intdigest()
    assert (proof["count"], proof["digest"]) == (3, str(expected % 2**64))
    assert proof["conditions"]["r-001"] == {
        "settled": 0,
        "provisional": 3,
        "level": 3,
        "since": at(5).isoformat(),
    }


async def test_verdict_not_to_alert_is_in_the_log(desk: Desk, door: httpx.AsyncClient) -> None:
    await desk.measure("villa", reading(1, 0, 3.1))
    (change,) = (await door.get("/admin/v1/changes", params={"municipality": "villa"})).json()["items"]
    assert (change["from"], change["to"], change["reasons"][0]["code"]) == (0, 0, "level.waiting")


async def test_quiescence_waits_for_the_tick_of_now(desk: Desk, door: httpx.AsyncClient) -> None:
    """Ticks stand behind every reading: once all are folded, all that came before is decided."""
    await desk.tick(0)
    desk.clock.set(at(10))
    behind = (await door.get("/admin/v1/quiescence")).json()
    assert behind["detail"]["partitions_behind"] == [0, 1, 2, 3, 4, 5]
    await desk.tick(10)
    done = (await door.get("/admin/v1/quiescence")).json()
    assert done["detail"]["partitions_behind"] == []
    assert done["busy"] == done["detail"]["unpublished"]
    assert done["next_due"] == at(90 + 1 / 60).isoformat()


async def test_status_counts_attempts_on_authority(desk: Desk, door: httpx.AsyncClient) -> None:
    await desk.decide("villa", decision("i-1", Verb.CLOSE), signed_by=None)
    status = (await door.get("/admin/v1/status")).json()
    assert (status["attempts_on_authority"], status["dead_letters"]) == (1, 1)
    (letter,) = (await door.get("/admin/v1/dead-letters")).json()["items"]
    assert (letter["municipality"], letter["reason"]) == ("villa", "signature.absent")
    assert status["municipalities"] == {"puerto": {"open_incidents": 0}, "villa": {"open_incidents": 0}}


async def test_metrics_and_health_need_no_token(door: httpx.AsyncClient) -> None:
    for route in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert (await door.get(route, headers={"Authorization": ""})).status_code == 200


async def test_inputs_are_shown_in_the_order_of_record(desk: Desk, door: httpx.AsyncClient) -> None:
    """What stage 2 decided upon, page by page, of one town and one span of time."""
    await desk.measure("villa", reading(1, 0, 3.1), reading(2, 5, 3.2))
    asked = {"municipality": "villa", "since": at(-60).isoformat(), "until": at(60).isoformat(), "limit": 1}
    first = (await door.get("/admin/v1/inputs", params=asked)).json()
    second = (await door.get("/admin/v1/inputs", params={**asked, "cursor": first["next"]})).json()
    found = [*first["items"], *second["items"]]
    assert [(1, "sensor_heard"), (2, "condition_moved")] == [(one["seq"], one["kind"]) for one in found]
    assert found[1]["body"]["sensor_id"] == found[0]["body"]["sensor_id"]
    other = await door.get("/admin/v1/inputs", params={**asked, "municipality": "puerto"})
    assert other.json()["items"] == []
    early = {**asked, "since": at(-60).isoformat(), "until": at(-30).isoformat()}
    assert (await door.get("/admin/v1/inputs", params=early)).json()["items"] == []
    naive = {**asked, "since": "2026-05-02T00:00:00"}
    assert (await door.get("/admin/v1/inputs", params=naive)).status_code == 422
