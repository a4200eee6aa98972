"""A yes is to words that were seen: it names the request and the hash, whoever says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.towns import change, write_town
from tests.unit.notify.flow_rig import Rig, opened, rig


async def _pending(notify: Rig) -> dict[str, Any]:
    (head,) = (await notify.get("/admin/v1/warnings"))["items"]
    shown = await notify.get(f"/admin/v1/warnings/{head['warning_id']}")
    return next(each for each in shown["requests"] if each["state"] == "pending")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "decision.unseen"),
        (("request_id",), "decision.unseen"),
        (("content_hash",), "decision.unseen"),
    ],
    ids=["neither", "no hash", "no request"],
)
async def test_yes_to_words_that_nobody_saw_is_refused(
    tmp_path: Path, names: tuple[str, ...], code: str
) -> None:
    """Whatever waits at that moment is not what the person meant."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        asked = await _pending(notify)
        said = {name: asked[name] if name in names else None for name in ("request_id", "content_hash")}
        answer = (await notify.decide("beto", "approve", **said)).json()
        assert (answer["ruling"], answer["reasons"][0]["code"]) == ("refused", code)
        assert await notify.messages(purpose="warning") == []


async def test_yes_to_other_words_than_those_that_wait_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        asked = await _pending(notify)
        said = {"request_id": asked["request_id"], "content_hash": "0" * 64}
        answer = (await notify.decide("beto", "approve", **said)).json()
        assert answer["reasons"][0]["code"] == "decision.other_content"
        assert await notify.messages(purpose="warning") == []


async def _with_namesake(tmp_path: Path) -> Path:
    """Write a town whose operator ``beto`` carries Ana's phone: the person Beto holds no office."""
    places = tmp_path / "municipalities"
    town = write_town(places, "alta", zones=1, safe_release=False)
    change(town.folder, "operators.yaml", '"person_id": "beto"', '"person_id": "ana"')
    return places


async def test_person_without_office_never_gets_the_authority_of_a_namesake(tmp_path: Path) -> None:
    """The person Beto is no operator, though an operator is called Beto: his SI is refused and audited."""
    async with opened(tmp_path, await _with_namesake(tmp_path)) as notify:
        await notify.classify()
        await notify.wait(minutes=5)
        code = await notify.code_of("beto")
        await notify.says("beto", f"SI {code}")
        assert await notify.messages(purpose="warning") == []
        assert "no tiene un cargo" in (await notify.texts(recipient_id="beto", purpose="reply"))[0]
        noted = [row["action"] for row in (await notify.get("/admin/v1/audit"))["items"]]
        assert noted == ["decision.no_office"]
        await notify.says("beto", f"PASO {code}")
        assert await notify.messages(recipient_id="carla", purpose="authority")


async def test_operator_in_office_speaks_before_one_whose_office_has_ended(tmp_path: Path) -> None:
    """Ana carries two offices; the one that has ended does not silence the other."""
    places = await _with_namesake(tmp_path)
    change(
        places / "alta",
        "operators.yaml",
        '"valid_from": "2020-01-01T00:00:00-06:00"',
        '"valid_from": "2020-01-01T00:00:00-06:00", "valid_to": "2021-01-01T00:00:00-06:00"',
    )
    async with opened(tmp_path, places) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        (event,) = await notify.events("warning.authorised")
        assert event["authority"]["operator_id"] == "beto"


@pytest.mark.parametrize(
    "wrong",
    [{"decision_id": "d\x00"}, {"request_id": "q\n1"}, {"reason": "a\x00"}, {"text": {"*": "a\x00"}}],
    ids=["decision", "request", "reason", "text"],
)
async def test_control_characters_are_a_clear_error(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """No database holds a NUL; the answer names the field and nothing crashes."""
    async with rig(tmp_path) as notify:
        said = {
            "decision_id": "d-1",
            "incident_id": "inc-1",
            "verb": "correct",
            "operator_id": "ana",
            "decided_at": notify.clock.now().isoformat(),
            "via": "cli",
        }
        answer = await notify.post("/admin/v1/decisions", {"municipality": "alta", "decision": said | wrong})
        assert answer.status_code == 422
        assert next(iter(wrong)) in answer.json()["errors"][0]["pointer"]


async def test_correction_leaves_in_letters_of_one_segment(tmp_path: Path) -> None:
    """Accents would double the price and the time; the words that are bound are those that leave."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        await notify.carrier_takes(purpose="warning")
        words = "ALCALDIA DE ALTA: el aviso fue un error. Disculpen: está tranquilo."
        answer = (await notify.decide("ana", "correct", text={"*": words})).json()
        assert answer["ruling"] == "applied"
        assert {"esta" in text and "á" not in text for text in await notify.texts(purpose="correction")} == {
            True
        }
