"""From an incident to authorised words: who may say them, and what voids them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.notify.tables import body, recipient, warning_version
from tests.unit.notify.flow_rig import rig


async def test_level_three_asks_the_duty_coordinator_and_tells_no_resident(tmp_path: Path) -> None:
    """A page needs no authority, words for residents do."""
    async with rig(tmp_path) as notify:
        await notify.classify()
        (asked,) = await notify.messages(purpose="authority")
        assert asked["recipient_id"] == "ana"
        assert "Responda SI" in asked["text"]
        assert "12-2026" in asked["text"]
        assert await notify.messages(purpose="warning") == []
        assert [row["state"] for row in await notify.events("warning.requested")] == ["requested"]


async def test_yes_by_sms_sends_exactly_the_authorised_bytes_to_the_zone(tmp_path: Path) -> None:
    """What was approved is byte for byte what is sent, nearest first, to that zone and nobody else."""
    async with rig(tmp_path) as notify:
        await notify.classify()
        await notify.says("ana", f"sí {await notify.code_of('ana')}")
        (event,) = await notify.events("warning.authorised")
        sent = await notify.messages(purpose="warning")
        assert {row["text"] for row in sent} == {event["texts"][0]["text"]}
        ordered = sorted(sent, key=lambda row: row["rank"])
        assert [row["recipient_id"] for row in ordered] == [f"z-001-r{n}" for n in range(1, 6)]
        assert {row["content_hash"] for row in sent} == {event["content_hash"]}
        assert event["authority"]["operator_id"] == "ana"
        assert event["ledger"]["authorised_at"]


async def test_yes_twice_sends_once(tmp_path: Path) -> None:
    """The same answer again, and another person's yes, change nothing."""
    async with rig(tmp_path) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        await notify.says("ana", f"SI {code}", provider_id="SM-a")
        await notify.says("ana", f"SI {code}", provider_id="SM-a")
        await notify.says("ana", f"SI {code}", provider_id="SM-b")
        assert len(await notify.messages(purpose="warning")) == 5
        assert len(await notify.events("warning.authorised")) == 1
        rulings = [row["ruling"] for row in await notify.events("decision.ruled")]
        assert rulings == ["applied", "refused"]


async def test_no_answer_becomes_a_call_then_the_next_person(tmp_path: Path) -> None:
    """Silence escalates by the town's own steps."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.wait(minutes=2)
        assert [row["channel"] for row in await notify.messages(recipient_id="ana")] == ["sms", "voice"]
        await notify.wait(minutes=3)
        assert [row["channel"] for row in await notify.messages(recipient_id="beto")] == ["sms", "voice"]
        assert await notify.messages(purpose="warning") == []
        steps = [row["step"] for row in await notify.events("alert.escalated")]
        assert steps == [1, 2, 3]


async def test_safe_release_lets_a_corroborated_warning_out(tmp_path: Path) -> None:
    """Nobody answers in 180 s, two sites stand at the level: out it goes, on the resolution."""
    async with rig(tmp_path, min_sources=2) as notify:
        await notify.classify(corroboration=2)
        await notify.wait(seconds=179)
        assert await notify.messages(purpose="warning") == []
        await notify.wait(seconds=1)
        assert len(await notify.messages(purpose="warning")) == 5
        (event,) = await notify.events("warning.authorised")
        assert event["authority"]["kind"] == "safe_release"
        assert event["authority"]["instrument"] == "12-2026"


async def test_safe_release_without_corroboration_rings_the_next_person_and_says_why(tmp_path: Path) -> None:
    """One site alone releases nothing."""
    async with rig(tmp_path, min_sources=2) as notify:
        await notify.classify(corroboration=1)
        await notify.wait(seconds=180)
        assert await notify.messages(purpose="warning") == []
        asked = await notify.messages(recipient_id="beto")
        assert [row["channel"] for row in asked] == ["sms", "voice"]
        assert "1 de 2 sitios" in asked[0]["text"]


async def test_corroboration_that_comes_later_releases_at_once(tmp_path: Path) -> None:
    """The waiting time has passed already; the second site was all that was missing."""
    async with rig(tmp_path, min_sources=2) as notify:
        await notify.classify(corroboration=1)
        await notify.wait(seconds=200)
        await notify.classify(version=2, previous=3, corroboration=2)
        assert len(await notify.messages(purpose="warning")) == 5


async def test_higher_level_voids_what_was_asked_and_asks_again(tmp_path: Path) -> None:
    """The old code no longer sends anything."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        old = await notify.code_of("ana")
        await notify.classify(version=2, level=4, previous=3)
        await notify.says("ana", f"SI {old}")
        assert await notify.messages(purpose="warning") == []
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        assert len(await notify.messages(purpose="warning")) == 5


async def test_one_more_resident_voids_the_approval(tmp_path: Path) -> None:
    """The audience is part of what was approved."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        async with notify.app.db.transaction() as conn:
            gone = recipient.c.recipient_id == "z-001-r1"
            await conn.execute(sa.update(recipient).where(gone).values(active=False))
        await notify.says("ana", f"SI {code}")
        assert await notify.messages(purpose="warning") == []
        await notify.wait(seconds=0)
        assert len(await notify.events("warning.requested")) == 2


async def test_one_byte_changed_between_question_and_answer_voids_it(tmp_path: Path) -> None:
    """Words that are not those that were asked about are never sent."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        async with notify.app.db.transaction() as conn:
            row = (await conn.execute(sa.select(warning_version))).mappings().one()
            said = dict(row["snapshot"])
            said["texts"][0]["text"] = said["texts"][0]["text"].replace("Salga", "Salgo")
            await conn.execute(sa.update(warning_version).values(snapshot=said))
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        assert await notify.messages(purpose="warning") == []


async def test_one_byte_changed_after_approval_stops_the_rest(tmp_path: Path) -> None:
    """A broadcast in work whose stored text is no longer the authorised one stops, and somebody is told."""
    async with rig(tmp_path, zones=1, residents_per_zone=600, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        assert len(await notify.messages(purpose="warning")) == 500
        async with notify.app.db.transaction() as conn:
            public = body.c.text.startswith("ALCALDIA")
            await conn.execute(sa.update(body).where(public).values(text=body.c.text + "."))
        await notify.app.timers.fire_due()
        states = {row["state"] for row in await notify.messages(purpose="warning")}
        assert states == {"withdrawn"}
        page = (await notify.messages(purpose="page"))[-1]
        assert "no es el autorizado" in page["text"]


async def test_broadcast_goes_on_in_chunks_until_everybody_has_a_message(tmp_path: Path) -> None:
    """1,300 residents: 500 at once, the rest by timer, each exactly once."""
    async with rig(tmp_path, zones=1, residents_per_zone=1300, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        await notify.app.timers.fire_due()
        told = [row["recipient_id"] for row in await notify.messages(purpose="warning")]
        assert len(told) == len(set(told)) == 1300
        quiet = await notify.get("/admin/v1/quiescence")
        assert quiet["detail"]["expansions"] == 0


async def test_no_sends_nothing_and_stays_no_until_it_gets_worse(tmp_path: Path) -> None:
    """A refusal stands; a higher level is a new question."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"NO {await notify.code_of('ana')}")
        await notify.classify(version=2, previous=3, corroboration=3)
        assert len(await notify.events("warning.requested")) == 1
        await notify.classify(version=3, level=4, previous=3)
        assert len(await notify.events("warning.requested")) == 2
        assert await notify.messages(purpose="warning") == []


async def test_paso_rings_the_next_person_now(tmp_path: Path) -> None:
    """PASO means: not me, next, now."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"PASO {await notify.code_of('ana')}")
        assert [row["channel"] for row in await notify.messages(recipient_id="beto")] == ["sms", "voice"]


@pytest.mark.parametrize("word", ["SI", "OK"], ids=["yes", "ok"])
async def test_wrong_code_does_nothing_and_five_lock(tmp_path: Path, word: str) -> None:
    """Guessing four digits must not work."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        wrong = f"{(int(code) + 1) % 9000 + 1000}"
        for _ in range(5):
            await notify.says("ana", f"{word} {wrong}")
        await notify.says("ana", f"SI {code}")
        assert await notify.messages(purpose="warning") == []
        outcomes = [row["outcome"] for row in (await notify.get("/admin/v1/replies"))["items"]]
        assert sorted(outcomes) == ["locked", "locked", *["wrong_code"] * 4]


async def test_old_version_of_an_incident_is_dropped(tmp_path: Path) -> None:
    """A record that is read again after a newer one does nothing."""
    async with rig(tmp_path) as notify:
        await notify.classify(version=2)
        await notify.classify(version=1, level=4)
        assert len(await notify.events("warning.requested")) == 1


async def test_call_can_be_answered_with_the_code(tmp_path: Path) -> None:
    """Four digits pressed in the call of authority approve, one digit only acknowledges."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        await notify.wait(minutes=2)
        call = (await notify.messages(recipient_id="ana", channel="voice"))[0]
        await notify.presses(call["message_id"], "1")
        assert await notify.messages(purpose="warning") == []
        assert len(await notify.events("alert.acknowledged")) == 1
        await notify.presses(call["message_id"], code)
        assert len(await notify.messages(purpose="warning")) == 5


async def test_renewal_applies_by_itself_when_nobody_answers(tmp_path: Path) -> None:
    """A warning never lapses: asked 30 minutes before its end, renewed 5 minutes before."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        (first,) = await notify.events("warning.authorised")
        await notify.wait(hours=2, minutes=31)
        asked = [row["recipient_id"] for row in await notify.messages(purpose="authority", state="planned")]
        assert {"ana", "beto", "carla"} <= set(asked)
        await notify.wait(minutes=25)
        (renewed,) = await notify.events("warning.renewed")
        assert renewed["authority"]["kind"] == "renewal_rule"
        assert renewed["level"] == first["level"]
        assert len(await notify.messages(purpose="renewal")) == 5
        await notify.wait(hours=3)
        assert len(await notify.events("warning.renewed")) == 2


async def test_renewal_by_answer_sends_the_asked_words(tmp_path: Path) -> None:
    """A yes to the renewal sends what was asked, to the same zone."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        await notify.wait(hours=2, minutes=31)
        await notify.says("beto", f"SI {await notify.code_of('beto')}")
        (renewed,) = await notify.events("warning.renewed")
        asked = (await notify.events("warning.requested"))[-1]
        assert renewed["texts"] == asked["texts"]
        assert renewed["valid_until"] == asked["valid_until"]
        await notify.wait(minutes=29)
        assert len(await notify.events("warning.renewed")) == 1


async def test_valid_until_is_what_the_text_says(tmp_path: Path) -> None:
    async with rig(tmp_path, valid_hours=6) as notify:
        await notify.classify()
        (asked,) = await notify.events("warning.requested")
        assert "Hasta 08:40" in asked["texts"][0]["text"]
        assert asked["valid_until"].startswith(
            (notify.clock.now() + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M")
        )
