"""What happens to a warning in force: corrected, lifted, superseded, by SMS or by a signed decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.notify.tables import delivery
from tests.unit.notify.flow_rig import Rig, rig

CORRECTION = "ALCALDIA DE ALTA: el aviso de las 02:40 fue un error. No hace falta salir."


async def _warned(notify: Rig) -> None:
    await notify.classify()
    await notify.says("ana", f"SI {await notify.code_of('ana')}")


async def test_correction_reaches_those_told_and_withdraws_the_rest(tmp_path: Path) -> None:
    """Three were told, two were not: the two never hear of it, not even of the correction."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        told = await notify.carrier_takes(3, purpose="warning")
        answer = await notify.decide("beto", "correct", version=1, text={"*": CORRECTION})
        assert answer.json()["ruling"] == "applied", answer.text
        corrected = await notify.messages(purpose="correction")
        assert sorted(row["recipient_id"] for row in corrected) == sorted(told)
        assert {row["text"] for row in corrected} == {CORRECTION}
        states = sorted(row["state"] for row in await notify.messages(purpose="warning"))
        assert states == ["accepted"] * 3 + ["withdrawn"] * 2


async def test_unknown_outcome_counts_as_sent(tmp_path: Path) -> None:
    """Who may have been told must hear the correction."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        async with notify.app.db.transaction() as conn:
            mine = (delivery.c.recipient_id == "z-001-r2") & (delivery.c.purpose == "warning")
            new = {"state": "unresolved", "sending_at": notify.clock.now()}
            await conn.execute(sa.update(delivery).where(mine).values(new))
        await notify.decide("beto", "correct", text={"*": CORRECTION})
        assert [row["recipient_id"] for row in await notify.messages(purpose="correction")] == ["z-001-r2"]


async def test_lift_reaches_those_told_once_and_stops_the_renewals(tmp_path: Path) -> None:
    """The end of a warning goes to everybody who was told; then it is over."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await _warned(notify)
        told = await notify.carrier_takes(purpose="warning")
        await notify.decide("carla", "lift")
        lifted = await notify.messages(purpose="lift")
        assert sorted(row["recipient_id"] for row in lifted) == sorted(told)
        assert "termina el aviso" in lifted[0]["text"]
        await notify.wait(hours=4)
        assert await notify.events("warning.renewed") == []
        (row,) = (await notify.get("/admin/v1/warnings"))["items"]
        assert row["state"] == "lifted"


async def test_corrected_warning_is_renewed_in_the_corrections_own_words(tmp_path: Path) -> None:
    """A rule that renews must never bring the mistake back."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await _warned(notify)
        told = await notify.carrier_takes(2, purpose="warning")
        await notify.decide("beto", "correct", text={"*": CORRECTION})
        await notify.carrier_takes(purpose="correction")
        await notify.wait(hours=3)
        renewed = await notify.messages(purpose="renewal")
        assert {row["text"] for row in renewed} == {CORRECTION}
        assert {row["recipient_id"] for row in renewed} == set(told)


async def test_renewal_supersedes_words_that_have_not_left(tmp_path: Path) -> None:
    """Who was not yet told gets the words with the new end, and only those."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(2, purpose="warning")
        answer = await notify.decide("beto", "renew")
        assert answer.json()["ruling"] == "applied", answer.text
        states = sorted(row["state"] for row in await notify.messages(purpose="warning"))
        assert states == ["accepted"] * 2 + ["withdrawn"] * 3
        assert len(await notify.messages(purpose="renewal", state="planned")) == 5


async def test_lift_counts_neighbours_not_people_on_duty(tmp_path: Path) -> None:
    """Who was asked to sign the warning was not warned: the audience is the phones that get the lift."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(purpose="authority")
        await notify.carrier_takes(3, purpose="warning")
        await notify.decide("carla", "lift")
        (lifted,) = await notify.events("warning.lifted")
        assert lifted["audience"]["phones"] == len(await notify.messages(purpose="lift")) == 3


async def test_higher_level_supersedes_words_that_have_not_left(tmp_path: Path) -> None:
    """Nobody gets the older text after the newer one was authorised."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(2, purpose="warning")
        await notify.classify(version=2, level=4, previous=3)
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        rows = await notify.messages(purpose="warning")
        states = sorted((row["version"], row["state"]) for row in rows)
        assert states == [*[(2, "accepted")] * 2, *[(2, "withdrawn")] * 3, *[(4, "planned")] * 5]
        assert all("Suba YA" in row["text"] for row in rows if row["version"] == 4)


async def test_approval_by_signed_decision_is_applied_and_published(tmp_path: Path) -> None:
    """``municipio decide`` does what the SMS does."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        answer = await notify.decide("beto", "approve", version=1, reason="Se ve desde el puente")
        assert answer.status_code == 202
        assert len(await notify.messages(purpose="warning")) == 5
        (said,) = await notify.events("coordinator.decided")
        ruled = await notify.get(f"/admin/v1/decisions/{said['decision_id']}")
        assert ruled["ruling"] == "applied"


async def test_decision_for_a_version_that_is_gone_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.classify(version=2, level=4, previous=3)
        answer = (await notify.decide("ana", "approve", version=1)).json()
        assert answer["ruling"] == "refused"
        assert answer["reasons"][0]["code"] == "decision.version_gone"
        assert await notify.messages(purpose="warning") == []


async def test_decision_about_the_unknown_waits_then_expires(tmp_path: Path) -> None:
    """It may be that the incident is only late; after a minute the person is told."""
    async with rig(tmp_path) as notify:
        answer = (await notify.decide("ana", "approve", version=1)).json()
        assert answer["ruling"] is None
        await notify.wait(seconds=61)
        (ruled,) = await notify.events("decision.ruled")
        assert (ruled["ruling"], ruled["reasons"][0]["code"]) == ("expired", "decision.never_known")


async def test_decision_that_came_before_its_incident_is_applied_when_it_appears(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.decide("ana", "pass", version=1)
        await notify.classify()
        assert [row["channel"] for row in await notify.messages(recipient_id="beto")] == ["sms", "voice"]


async def test_same_decision_twice_is_applied_once_and_answered_alike(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        first = await notify.decide("ana", "approve", decision_id="d-1", decided_at=notify.clock.now())
        again = await notify.decide("ana", "approve", decision_id="d-1", decided_at=notify.clock.now())
        assert first.json() == again.json()
        assert len(await notify.events("decision.ruled")) == 1


async def test_operator_out_of_office_is_refused(tmp_path: Path) -> None:
    """Validity is part of the folder, and the refusal says so."""
    from tests.support.towns import change
    from tests.unit.notify.flow_rig import opened, write_town

    places = tmp_path / "municipalities"
    town = write_town(places, "alta", zones=1, safe_release=False)
    change(
        town.folder,
        "operators.yaml",
        '"valid_from": "2020-01-01T00:00:00-06:00"',
        '"valid_from": "2020-01-01T00:00:00-06:00", "valid_to": "2021-01-01T00:00:00-06:00"',
    )
    async with opened(tmp_path, places) as notify:
        await notify.classify()
        answer = (await notify.decide("ana", "approve")).json()
        assert answer["reasons"][0]["code"] == "operator.not_in_office"
        assert await notify.messages(purpose="warning") == []
        assert [row["action"] for row in (await notify.get("/admin/v1/audit"))["items"]] == [
            "decision.refused"
        ]


async def test_forged_signature_is_refused_at_the_door_and_audited(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        await notify.classify()
        said = {
            "decision_id": "d-9",
            "incident_id": "inc-1",
            "verb": "approve",
            "operator_id": "ana",
            "decided_at": notify.clock.now().isoformat(),
            "via": "cli",
            "operator_signature": "AAAA",
        }
        answer = await notify.post("/admin/v1/decisions", {"municipality": "alta", "decision": said})
        assert answer.status_code == 403
        assert await notify.messages(purpose="warning") == []
        (row,) = (await notify.get("/admin/v1/audit"))["items"]
        assert row["action"] == "decision.forged"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("not an object", 422),
        ({"municipality": "alta"}, 422),
        ({"municipality": "otra", "decision": None}, 422),
    ],
    ids=["no object", "no decision", "null decision"],
)
async def test_decision_that_is_none_is_a_clear_error(tmp_path: Path, body: object, status: int) -> None:
    async with rig(tmp_path) as notify:
        assert (await notify.post("/admin/v1/decisions", body)).status_code == status


async def test_triage_verbs_are_passed_on_and_its_ruling_kept(tmp_path: Path) -> None:
    """Notify publishes ``raise`` and shows what triage answered."""
    from schemas.events.decisions import DecisionRuled

    async with rig(tmp_path) as notify:
        await notify.classify()
        answer = (await notify.decide("ana", "raise", level=4, decision_id="d-7")).json()
        assert answer["ruling"] is None
        assert [row["verb"] for row in await notify.events("coordinator.decided")] == ["raise"]
        ruled = DecisionRuled(
            decision_id="d-7",
            incident_id="inc-1",
            verb="raise",
            ruling="applied",
            reasons=(),
            ruled_at=notify.clock.now(),
            ruled_by="triage",
        )
        await notify.send(ruled)
        assert (await notify.get("/admin/v1/decisions/d-7"))["ruling"] == "applied"


async def test_two_signatures_where_the_town_asks_for_two(tmp_path: Path) -> None:
    async with rig(tmp_path, signatures=2, safe_release=False) as notify:
        await notify.classify()
        await notify.decide("ana", "approve")
        assert await notify.messages(purpose="warning") == []
        await notify.decide("beto", "approve")
        assert len(await notify.messages(purpose="warning")) == 5


async def test_closed_incident_ends_questions_but_not_the_warning(tmp_path: Path) -> None:
    """The end of a warning is a decision of its own."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await _warned(notify)
        await notify.close(version=2)
        (row,) = (await notify.get("/admin/v1/warnings"))["items"]
        assert row["state"] == "authorised"
        states = {row["state"] for row in (await notify.get("/admin/v1/tasks"))["items"]}
        assert states == {"cancelled"}


async def test_ledger_shows_the_steps_of_lost_time(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(purpose="warning")
        shown = await _shown(notify)
        steps = ("observed_at", "classified_at", "requested_at", "authorised_at", "first_accepted_at")
        assert all(shown["ledger"].get(step) for step in steps)
        assert [row["messages"] for row in shown["fates"] if row["purpose"] == "warning"] == [5]


async def test_each_version_in_force_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    """Raised, corrected and lifted: no version borrows a step from the one before it."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(purpose="warning")
        await notify.wait(minutes=20)
        await notify.classify(version=2, level=4, previous=3)
        await notify.wait(minutes=1)
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        asked_at_first = (await _ledgers(notify))[-1]
        assert asked_at_first["first_accepted_at"] is None
        await notify.wait(minutes=1)
        await notify.carrier_takes(purpose="warning")
        await notify.wait(hours=3)
        await notify.carrier_takes(purpose="renewal")
        await notify.decide("beto", "correct", text={"*": CORRECTION})
        await notify.wait(minutes=1)
        await notify.carrier_takes(purpose="correction")
        await notify.decide("carla", "lift")
        await notify.wait(minutes=1)
        await notify.carrier_takes(purpose="lift")
        ledgers = await _ledgers(notify)
        reached = [[at for at in ledger.values() if at is not None] for ledger in ledgers]
        assert reached == [sorted(steps) for steps in reached]
        own = ("authorised_at", "first_accepted_at")
        assert all(len({ledger[step] for ledger in ledgers}) == len(ledgers) == 5 for step in own)
        assert ledgers[-1] == (await _shown(notify))["ledger"]


async def _shown(notify: Rig) -> dict[str, Any]:
    (head,) = (await notify.get("/admin/v1/warnings"))["items"]
    return await notify.get(f"/admin/v1/warnings/{head['warning_id']}")


async def _ledgers(notify: Rig) -> list[dict[str, Any]]:
    """Return the ledger of every version that was ever in force."""
    return [each["ledger"] for each in (await _shown(notify))["versions"] if each["authority"]]


async def test_late_yes_to_a_renewal_never_brings_corrected_words_back(tmp_path: Path) -> None:
    """The question of renewal was about the old words; the correction voids it."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await _warned(notify)
        await notify.carrier_takes(purpose="warning")
        await notify.wait(hours=2, minutes=31)
        code = await notify.code_of("beto")
        await notify.decide("ana", "correct", text={"*": CORRECTION})
        await notify.carrier_takes(purpose="correction")
        await notify.says("beto", f"SI {code}")
        assert await notify.events("warning.renewed") == []
        await notify.wait(minutes=29)
        assert {row["text"] for row in await notify.messages(purpose="renewal")} == {CORRECTION}


async def test_correction_without_our_name_or_without_words_for_a_zone_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        nameless = (await notify.decide("ana", "correct", text={"*": "Fue un error."})).json()
        wordless = (await notify.decide("ana", "correct", text={"z-003": CORRECTION})).json()
        codes = [answer["reasons"][0]["code"] for answer in (nameless, wordless)]
        assert codes == ["lint.missing_source", "correct.no_text"]
        assert await notify.messages(purpose="correction") == []


async def test_nobody_shouts_what_was_corrected(tmp_path: Path) -> None:
    """Blocks that a corrected text never reached get no loudspeaker."""
    async with rig(tmp_path, safe_release=False) as notify:
        await _warned(notify)
        await notify.decide("ana", "correct", text={"*": CORRECTION})
        await notify.wait(minutes=6)
        kinds = [row["kind"] for row in (await notify.get("/admin/v1/tasks"))["items"]]
        assert "reach_block" not in kinds
