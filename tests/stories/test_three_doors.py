"""One page, three ways to say that it was read: by text, by a key pressed, by a link."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support.phones import Text
from tests.support.town import Town

LEVEL_2_M = 2.6


def page(town: Town) -> Text:
    """Let the river reach level 2 and return Ana's page."""
    town.gauge("g-001").sends(LEVEL_2_M)
    return town.phone("ana").expects_sms("flood", "Preparacion")


def link_in(text: Text) -> str:
    found = re.search(r"https?://\S+/a/\S+", text.words)
    assert found is not None, text.words
    return found.group()


def opens(town: Town, url: str, act: str | None = None) -> httpx.Response:
    """Open a link as a telephone does, or press one of its buttons."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await (client.get(url) if act is None else client.post(url, data={"act": act}))

    answer: httpx.Response = town._run(ask())
    town._at_rest = None
    town.carrier.ledger.add("link_opened", url="")
    town.settle()
    return answer


def acks(town: Town) -> list[Any]:
    return [tuple(row) for row in town.rows("notify", "SELECT person_id, channel FROM ack")]


def test_by_text_without_a_code_while_one_question_is_open(town: Town) -> None:
    page(town)
    town.phone("ana").says("ok")
    assert [("ana", "sms")] == acks(town)
    town.wait(minutes=20)


def test_by_a_key_pressed_in_the_call(town: Town) -> None:
    page(town).stays_silent()
    town.wait(minutes=2)
    town.phone("ana").expects_call("flood").presses("1")
    assert [("ana", "voice")] == acks(town)


def test_voicemail_is_not_an_answer(town: Town) -> None:
    """A machine takes the call: nobody has answered."""
    page(town).stays_silent()
    town.wait(minutes=2)
    town.phone("ana").expects_call("flood").goes_to_voicemail()
    assert [] == acks(town)


def test_by_a_link_that_is_looked_at_first_and_opened_twice(town: Town) -> None:
    """Looking does nothing, however often; the second answer says kindly that there was one."""
    url = link_in(page(town))
    assert 200 == opens(town, url).status_code
    assert [] == acks(town)
    assert "Respuesta recibida" in opens(town, url, "ok").text
    assert [("ana", "link")] == acks(town)
    for again in (opens(town, url, "ok"), opens(town, url)):
        assert (200, True) == (again.status_code, "Ya había respondido" in again.text)
    assert [("ana", "link")] == acks(town)
    town.wait(minutes=20)


@pytest.mark.parametrize("act", [None, "ok"], ids=["looked at", "answered"])
def test_an_altered_link_opens_nothing(town: Town, act: str | None) -> None:
    url = link_in(page(town))
    other = url[:-5] + ("A" if url[-5] != "A" else "B") + url[-4:]
    answer = opens(town, other, act)
    assert (403, True) == (answer.status_code, "no es válido" in answer.text)
    assert [] == acks(town)


def test_an_expired_link_says_so(town: Town) -> None:
    """Half a day later the page is history: nothing is recorded."""
    url = link_in(page(town))
    town.phone("ana").says("ok")
    town.wait(hours=12)
    answer = opens(town, url, "ok")
    assert (410, True) == (answer.status_code, "venció" in answer.text)
    assert [("ana", "sms")] == acks(town)


def test_yes_alone_is_enough_only_while_one_request_stands(town: Town) -> None:
    """Two floods ask for authority: SI alone approves neither, and says why."""
    ana = town.phone("ana")
    for zone in ("001", "002"):
        for gauge in (f"g-{zone}", f"g-{zone}-b"):
            town.gauge(gauge).sends(3.1)
        ana.expects_sms("authority", f"Zona {zone}")
        town.phone("brigada-norte").expects_sms("Perifonear", f"Zona {zone}")
    ana.says("Sí")
    ana.expects_sms("varias preguntas")
    assert ["requested", "requested"] == [row["state"] for row in town.warnings()]


def test_yes_alone_approves_the_only_request(town: Town) -> None:
    for gauge in ("g-001", "g-001-b"):
        town.gauge(gauge).sends(3.1)
    ana = town.phone("ana")
    ana.expects_sms("authority").replies("sí")
    ana.expects_sms("autorizado")
    town.phone("brigada-norte").expects_sms("Perifonear")
    town.phones.of(*town.residents("z-001")).expects_sms("Salga YA")
