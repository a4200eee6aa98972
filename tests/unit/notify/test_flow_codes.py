"""Guessing at codes: it locks, it never locks by what is long over, and somebody else is rung."""

from __future__ import annotations

from pathlib import Path

from schemas.vocabulary import IncidentKind
from tests.unit.notify.flow_rig import Rig, rig


async def _guesses(notify: Rig, code: str, times: int) -> None:
    wrong = f"{(int(code) + 1) % 9000 + 1000}"
    for _ in range(times):
        await notify.says("ana", f"SI {wrong}")


async def test_code_that_expired_locks_nobody(tmp_path: Path) -> None:
    """Five wrong answers to yesterday's silent gauge must not shut an authoriser out of the flood."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify(
            level=1, kind=IncidentKind.NO_DATA, site="s-001", corroboration=0, incident_id="inc-0"
        )
        await _guesses(notify, await notify.code_of("ana"), 5)
        await notify.wait(hours=13)
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        assert len(await notify.messages(purpose="warning")) == 5


async def test_right_code_forgives_the_wrong_ones_before_it(tmp_path: Path) -> None:
    """Four slips of the thumb in an hour of questions are no attack."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        await _guesses(notify, code, 4)
        await notify.says("ana", f"OK {code}")
        await _guesses(notify, code, 4)
        await notify.says("ana", f"SI {code}")
        assert len(await notify.messages(purpose="warning")) == 5


async def test_who_is_locked_out_is_audited_and_the_next_person_rung_now(tmp_path: Path) -> None:
    """A phone that is shut out cannot answer any more: the question must not wait for it."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await _guesses(notify, await notify.code_of("ana"), 5)
        asked = await notify.messages(recipient_id="beto")
        assert [row["channel"] for row in asked] == ["sms", "voice"]
        assert "bloqueado" in asked[0]["text"]
        noted = [row["action"] for row in (await notify.get("/admin/v1/audit"))["items"]]
        assert noted == ["code.locked"]
        await notify.says("beto", f"SI {await notify.code_of('beto')}")
        assert len(await notify.messages(purpose="warning")) == 5
