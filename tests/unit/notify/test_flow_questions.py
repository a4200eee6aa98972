"""What becomes of a question that was half answered, answered too late, or about words that changed."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from schemas.vocabulary import WarningState
from services.notify.tables import authority_request, warning, warning_version
from services.runtime.records import Record
from services.runtime.signing import generate_keys, load_signer
from tests.unit.notify.flow_rig import Rig, rig, snapshot


async def _reasons(notify: Rig) -> list[list[str]]:
    q = authority_request.c
    async with notify.app.db.reading() as conn:
        rows = await conn.execute(sa.select(q.reasons).order_by(q.opened_at))
        return [[reason["code"] for reason in reasons] for (reasons,) in rows]


async def test_both_signatures_stay_on_the_request(tmp_path: Path) -> None:
    """Who asks later who signed reads two names, not one."""
    async with rig(tmp_path, signatures=2, safe_release=False) as notify:
        await notify.classify()
        await notify.decide("ana", "approve")
        await notify.decide("beto", "approve")
        (kept,) = await _reasons(notify)
        assert {"signed.ana", "signed.beto", "authority.operator"} <= set(kept)


async def test_question_nobody_answered_is_asked_afresh_when_its_words_are_too_old(tmp_path: Path) -> None:
    """The last step is no end: by the hour at which the text would be untrue, a new one is asked for."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await notify.classify()
        old = await notify.code_of("ana")
        await notify.wait(hours=3, minutes=1)
        assert len(await notify.events("warning.requested")) == 2
        assert "request.unanswered" in (await _reasons(notify))[0]
        new = await notify.code_of("ana")
        await notify.says("ana", f"SI {old}")
        assert await notify.messages(purpose="warning") == []
        await notify.says("ana", f"SI {new}")
        assert len(await notify.messages(purpose="warning")) == 5


async def test_nobody_is_asked_for_ever(tmp_path: Path) -> None:
    """A town that has turned its phones off is not rung for weeks: news of the river ask again."""
    async with rig(tmp_path, valid_hours=1, safe_release=False) as notify:
        await notify.classify()
        await notify.wait(hours=12)
        assert len(await notify.events("warning.requested")) == 6
        await notify.classify(version=2, level=4, previous=3)
        assert len(await notify.events("warning.requested")) == 7


async def test_yes_to_a_renewal_whose_words_changed_asks_again(tmp_path: Path) -> None:
    """A person's name is put under what they read, under nothing else."""
    async with rig(tmp_path, valid_hours=3, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        await notify.wait(hours=2, minutes=31)
        code = await notify.code_of("beto")
        async with notify.app.db.transaction() as conn:
            newest = warning_version.c.version == 3
            said = (await conn.execute(sa.select(warning_version.c.snapshot).where(newest))).scalar_one()
            said["texts"][0]["text"] += "."
            await conn.execute(sa.update(warning_version).where(newest).values(snapshot=said))
        await notify.says("beto", f"SI {code}")
        assert await notify.events("warning.renewed") == []
        await notify.wait(seconds=0)
        assert len(await notify.events("warning.requested")) == 3
        await notify.says("beto", f"SI {await notify.code_of('beto')}")
        assert len(await notify.events("warning.renewed")) == 1


async def test_yes_to_a_warning_that_fell_is_refused_and_asked_afresh(tmp_path: Path) -> None:
    """A warning that was made void meanwhile takes no yes, and crashes nobody."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        async with notify.app.db.transaction() as conn:
            await conn.execute(sa.update(warning).values(state=WarningState.VOIDED.value))
        answer = (await notify.decide("beto", "approve")).json()
        assert (answer["ruling"], answer["reasons"][0]["code"]) == ("refused", "warning.not_authorise")
        assert await notify.messages(purpose="warning") == []
        await notify.wait(seconds=0)
        assert len(await notify.events("warning.requested")) == 2


async def test_forgery_that_names_no_town_pages_every_town_once(tmp_path: Path) -> None:
    """Whom it was meant for nobody knows: both are told, and only once an hour."""
    async with rig(tmp_path, towns=("alta", "baja")) as notify:
        generate_keys(tmp_path / "stranger", ("triage",))
        stranger = load_signer(tmp_path / "stranger", "triage")
        for version in (1, 2):
            record = notify.record(snapshot(notify.clock.now(), version=version), stranger)
            headers = tuple(
                (name, b"nowhere" if name == "ce_municipality" else value) for name, value in record.headers
            )
            forged = Record(record.topic, 0, record.offset, record.key, record.value, headers)
            await notify.app.consume(record.topic, [forged])
        for town in ("alta", "baja"):
            notify.town = town
            (page,) = await notify.messages(purpose="page")
            assert "sin firma" in page["text"]
