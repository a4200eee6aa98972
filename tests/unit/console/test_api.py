"""What the console's doors answer."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.unit.console.rig import Desk, Told, at, night, said

ROUTES = ("incidents", "warnings", "tasks", "decisions", "reports", "messages", "_digest")


@pytest.fixture
async def desk(tmp_path: Path, url: str):
    made = Desk(tmp_path, url)
    await made.app.start()
    await made.tell(*night(), *night("puerto"))
    yield made
    await made.app.db.close()


async def test_incident_tells_its_whole_story(desk: Desk) -> None:
    """Evidence, reasons, decisions, alerts, tasks and messages, in the order in which they happened."""
    (listed,) = (await desk.get("incidents"))["items"]
    assert (listed["level"], listed["state"], listed["label"]) == (0, "closed", "Normal")
    incident = await desk.get("incidents/i1")
    kinds = [row["type"] for row in incident["timeline"]]
    assert kinds[:3] == ["incident.classified", "alert.dispatched", "task.assigned"]
    assert kinds[-1] == "incident.closed"
    assert "message.updated" not in kinds
    assert incident["timeline"][0]["said"]["evidence"][0]["value"] == 3.02
    assert incident["timeline"][0]["said"]["reasons"]
    assert [row["ruling"] for row in incident["decisions"]] == ["applied"]
    assert [row["state"] for row in incident["tasks"]] == ["done"]
    assert [row["warning_id"] for row in incident["warnings"]] == ["w1"]
    assert (incident["messages"]["count"], incident["messages"]["as_of"]) == (3, at(5).isoformat())


async def test_warning_shows_words_authority_and_the_time_it_lost(desk: Desk) -> None:
    """Per version: texts per zone, whose right, the hash, each step with its seconds, and its messages."""
    warning = await desk.get("warnings/w1")
    assert [each["type"] for each in warning["versions"]] == [
        "warning.requested",
        "warning.authorised",
        "warning.requested",
        "warning.renewed",
        "warning.lifted",
    ]
    sent = warning["versions"][1]
    assert sent["texts"][0]["zone"] == "la-vega"
    assert sent["authority"]["operator_id"] == "ana"
    assert sent["content_hash"]
    ledger = sent["ledger"]
    assert (ledger["first_accepted_at"], ledger["delivered_90_at"]) == (
        "2026-05-05T08:03:12Z",
        "2026-05-05T08:05:00Z",
    )
    assert ledger["total_s"] == 300
    assert ledger["delivered"] == {"count": 2, "of": 2}
    assert ledger["as_of"] == at(5).isoformat()
    waited = {row["step"]: row["since_previous_s"] for row in ledger["steps"]}
    assert (waited["authorised"], waited["delivered_90"]) == (174, 108)
    assert sent["messages"]["by_state"] == [
        {"purpose": "warning", "channel": "sms", "state": "delivered", "count": 2, "as_of": at(5).isoformat()}
    ]
    assert warning["message_ids"] == ["m1", "m2"]
    unsent = warning["versions"][3]["ledger"]
    assert (unsent["delivered_90_at"], unsent["delivered"]) == (None, {"count": 0, "of": 2})


async def test_reach_is_not_claimed_before_all_were_heard_of(desk: Desk) -> None:
    """Messages that did not leave yet stand in the denominator: the audience is known from the warning."""
    audience = {"digest": "d", "phones": 20}
    event = said("warning.authorised", warning_id="w2", version=2, incident_id="i1", audience=audience)
    told = night()[11].event.model_dump(mode="json")
    messages = [
        {**each, "message_id": f"x{each['message_id']}", "state": "delivered", "warning_id": "w2"}
        for each in told["messages"]
    ]
    await desk.tell(
        Told("warning.authorised", event, 3),
        Told("message.updated", said("message.updated", messages=messages), 4),
    )
    ledger = (await desk.get("warnings/w2"))["versions"][0]["ledger"]
    assert (ledger["delivered_90_at"], ledger["delivered"]) == (None, {"count": 2, "of": 20})


async def test_pages_follow_one_another(desk: Desk) -> None:
    """What began last stands first; a cursor goes on where the page ended."""
    for number in range(2, 6):
        moved = said("incident.classified", incident_id=f"i{number}", version=1, opened_at=at(number % 2))
        task = said("task.assigned", task_id=f"t{number}", version=1, incident_id="i1", at=at(number % 2))
        decided = said("coordinator.decided", decision_id=f"d{number}", decided_at=at(number % 2))
        await desk.tell(
            Told("incident.classified", moved, number),
            Told("task.assigned", task, number),
            Told("coordinator.decided", decided, number),
        )
    for route in ("incidents", "tasks", "decisions", "messages"):
        whole = (await desk.get(route))["items"]
        assert len(whole) in {3, 5}
        seen, cursor = [], ""
        while cursor is not None:
            page = await desk.get(route, limit=2, cursor=cursor)
            seen += page["items"]
            cursor = page["next"]
        assert seen == whole
    assert [row["state"] for row in (await desk.get("incidents", state="closed"))["items"]] == ["closed"]
    assert (await desk.get("messages", warning_id="none"))["items"] == []


async def test_two_towns_never_mix(desk: Desk) -> None:
    """The same ids stand in both; what is told of one changes nothing in the other."""
    before = await desk.digest("puerto")
    later = said("incident.classified", incident_id="i1", version=9, level=4)
    await desk.tell(Told("incident.classified", later, 200))
    assert [row["version"] for row in (await desk.get("incidents"))["items"]] == [9]
    assert [row["version"] for row in (await desk.get("incidents", municipality="puerto"))["items"]] == [3]
    assert before == await desk.digest("puerto")


async def test_every_list_says_how_old_it_may_be(desk: Desk) -> None:
    """The newest moment that each topic spoke of."""
    for route in ROUTES:
        answer = await desk.get(route)
        assert answer["as_of"]["warnings"] == at(90).isoformat()
        assert "next" in answer
    for route in ROUTES[:-1]:
        assert all(row["as_of"] for row in (await desk.get(route))["items"])


@pytest.mark.parametrize(
    ("route", "asked", "status", "pointer"),
    [
        ("incidents", {}, 422, "#/municipality"),
        ("incidents", {"municipality": "nowhere"}, 404, None),
        ("incidents/none", {"municipality": "villa"}, 404, None),
        ("warnings/w1", {}, 422, "#/municipality"),
        ("warnings/none", {"municipality": "villa"}, 404, None),
        ("tasks", {"municipality": "villa", "limit": 0}, 422, "#/limit"),
        ("tasks", {"municipality": "villa", "limit": 5000}, 422, "#/limit"),
        ("decisions", {"municipality": "villa", "cursor": "x"}, 422, "#/cursor"),
        ("incidents", {"municipality": "villa", "cursor": "2026-05-05T08:00:00/i1"}, 422, "#/cursor"),
        ("_digest", {"municipality": "nowhere"}, 404, None),
    ],
)
async def test_wrong_question_is_told_so(
    desk: Desk, route: str, asked: dict[str, object], status: int, pointer: str | None
) -> None:
    """Problem details that name the field."""
    answer = await desk.ask(f"/v1/{route}", **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    if pointer is not None:
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_every_door_asks_for_the_token(desk: Desk) -> None:
    """Health and metrics alone are open."""
    transport = httpx.ASGITransport(app=desk.app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://c") as http:
        for route in (*ROUTES, "incidents/i1", "warnings/w1"):
            answer = await http.get(f"/v1/{route}", params={"municipality": "villa"})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for route in ("status", "quiescence", "dead-letters"):
            assert (await http.get(f"/admin/v1/{route}")).status_code == 401
        assert (await http.post("/admin/v1/rebuild")).status_code == 401
        for route in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            assert (await http.get(route)).status_code == 200


async def test_rebuild_by_the_door_drops_everything(desk: Desk) -> None:
    """The answer comes when the tables are empty; reading again is the consumers' work."""
    assert (await desk.ask("/admin/v1/rebuild", "POST")).status_code == 202
    assert (await desk.get("incidents"))["items"] == []
    quiet = (await desk.ask("/admin/v1/quiescence")).json()
    assert quiet["busy"] == 0
