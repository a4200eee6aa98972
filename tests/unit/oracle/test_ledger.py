"""The oracle against a run that lost nothing, and against the same run with one thing missing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.oracle import Evidence, Report, Town, compare, plant_a_loss
from tests.unit.oracle.toy import RESIDENTS, TEXT, callback, row, sms


def judged(told: dict[str, Any], town: Town) -> Report:
    return compare(Evidence.read(told), town)


def counts(report: Report) -> dict[str, int]:
    names = (
        "lost_readings",
        "lost_verdicts",
        "lost_messages",
        "lost_replies",
        "duplicates",
        "unexpected",
        "violations",
    )
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def test_run_that_lost_nothing(told: dict[str, Any], town: Town) -> None:
    """Every count is zero, and nothing is said."""
    report = judged(told, town)
    assert (counts(report), dict(report.said)) == ({}, {})
    assert report.json()["lost"] == 0


def test_reading_that_triage_does_not_have(told: dict[str, Any], town: Town) -> None:
    """A count too small is that many readings; the right count with another digest is one."""
    told["triage"]["sensors"]["g-002"]["count"] -= 1
    told["triage"]["sensors"]["g-001"]["digest"] += 1
    assert counts(judged(told, town)) == {"lost_readings": 2}


def test_verdict_that_triage_does_not_have(told: dict[str, Any], town: Town) -> None:
    """A change that is missing, and an incident that stayed lower."""
    told["triage"]["changes"].clear()
    told["triage"]["incidents"][0]["level"] = 2
    assert counts(judged(told, town)) == {"lost_verdicts": 2}


def test_page_that_nobody_got(told: dict[str, Any], town: Town) -> None:
    """The person on duty has to be rung; a row that says delivered does not replace the carrier's entry."""
    told["ledger"] = told["ledger"][3:]
    assert counts(judged(told, town)) == {"lost_messages": 1}


def test_resident_who_got_nothing(told: dict[str, Any], town: Town) -> None:
    """Each resident of a warned zone counts, unless notify itself shows it as undelivered."""
    told["ledger"].pop()
    report = judged(told, town)
    assert report.said["lost_messages"] == ["warning w1 version 1 to z-001-r2"]
    told["notify"]["messages"][-1]["state"] = "undelivered"
    assert counts(judged(told, town)) == {}


def test_warning_that_a_resolution_had_to_release(told: dict[str, Any], town: Town) -> None:
    """Nobody answered, the resolution's time is long over, and there is no warning: all its residents."""
    told["notify"]["warnings"].clear()
    told["ledger"], told["notify"]["messages"] = told["ledger"][:3], told["notify"]["messages"][:1]
    told["until"] = "2026-05-04T18:17:00-06:00"
    assert counts(judged(told, town)) == {}
    told["until"] = "2026-05-04T18:25:00-06:00"
    assert counts(judged(told, town)) == {"lost_messages": 2}


def test_reply_that_nobody_recorded(told: dict[str, Any], town: Town) -> None:
    """An answer of a phone that notify does not have is lost, also where the webhook said 2xx."""
    told["notify"]["answers"].clear()
    assert counts(judged(told, town)) == {"lost_replies": 1}


def test_second_copy_is_a_duplicate(told: dict[str, Any], town: Town) -> None:
    """The same message twice to the same phone, recognised by the id in its callback URL."""
    again = copy.deepcopy(told["ledger"][-1]) | {"sid": "SM9"}
    told["ledger"].append(again)
    assert counts(judged(told, town)) == {"duplicates": 1}


def test_copy_after_a_failed_one_is_none(told: dict[str, Any], town: Town) -> None:
    """What reached nobody may be sent again."""
    first = told["ledger"][-1]
    told["ledger"] += [
        {"kind": "status", "sid": first["sid"], "status": "undelivered"},
        copy.deepcopy(first) | {"sid": "SM9"},
    ]
    assert counts(judged(told, town)) == {}


def test_same_text_without_an_id_is_a_duplicate(told: dict[str, Any], town: Town) -> None:
    """Without a message id two equal texts to one phone are one too many."""
    entry = told["ledger"][-1] | {"status_callback": None}
    told["ledger"] += [entry | {"sid": "SM8"}, entry | {"sid": "SM9"}]
    assert counts(judged(told, town)) == {"duplicates": 1}


def test_plain_callback_url_names_its_message(told: dict[str, Any], town: Town) -> None:
    """An id that stands in the path of the callback URL is found as well."""
    for entry in told["ledger"][-2:]:
        entry["status_callback"] = f"http://127.0.0.1:8083/status/w.{RESIDENTS[0]}"
    told["ledger"][-1]["phone"] = told["ledger"][-2]["phone"]
    assert counts(judged(told, town)) == {"lost_messages": 1, "duplicates": 1}


def test_next_round_is_no_duplicate(told: dict[str, Any], town: Town) -> None:
    """A later step of the escalation rings the same person again, rightly."""
    told["notify"]["messages"].append(row("p2.ana", "ana", "authority") | {"round": 3})
    told["ledger"].append(sms("SM9", town.people["ana"], "Responda SI 4711", "p2.ana"))
    assert counts(judged(told, town)) == {}


@pytest.mark.parametrize(("warning_id", "copies"), [("w1", {"duplicates": 1}), ("w2", {})])
def test_a_second_warning_counts_its_own_versions(
    told: dict[str, Any], town: Town, warning_id: str, copies: dict[str, int]
) -> None:
    """The river rose again after a lift: another warning about the same incident, again version 1."""
    resident = RESIDENTS[0]
    told["notify"]["messages"].append(row("w9", resident, "warning") | {"warning_id": warning_id})
    told["ledger"].append(sms("SM9", town.residents[resident], TEXT, "w9"))
    assert counts(judged(told, town)) == copies


def test_text_to_another_zone_is_unexpected(told: dict[str, Any], town: Town) -> None:
    """A resident of a zone that was never warned got a text."""
    told["ledger"].append(sms("SM9", town.residents["z-002-r1"], TEXT, "w.other"))
    assert counts(judged(told, town)) == {"unexpected": 1}


def test_text_to_a_stranger_is_unexpected(told: dict[str, Any], town: Town) -> None:
    """A number of nobody; unless it wrote first and was answered."""
    stranger = "+50370009998"
    told["ledger"].append(sms("SM9", stranger, "hola", "x") | {"status_callback": None})
    assert counts(judged(told, town)) == {"unexpected": 1}
    told["ledger"].append(
        {"kind": "answer", "answer": "SMx", "phone": stranger, "channel": "sms", "to_sid": None}
    )
    told["notify"]["answers"].append({"sid": "SMx"})
    assert counts(judged(told, town)) == {}


def test_text_of_the_other_town_is_that_towns(told: dict[str, Any], town: Town) -> None:
    """Two towns with the same numbers: what names the other town is not looked at."""
    other = sms("SM9", town.residents["z-002-r1"], TEXT, "w.other") | {
        "status_callback": callback("w.other", "b")
    }
    told["ledger"].append(other)
    assert counts(judged(told, town)) == {}


def test_incident_that_readings_do_not_make(told: dict[str, Any], town: Town) -> None:
    """An incident from nowhere is unexpected."""
    made_up = {"incident_id": "i9", "kind": "hazard", "hazard": "flood", "level": 2, "zones": ["z-003"]}
    told["triage"]["incidents"].append(made_up)
    assert counts(judged(told, town)) == {"unexpected": 1}


def test_silence_that_lasts_owes_an_incident(told: dict[str, Any], town: Town) -> None:
    """A gauge that said nothing for more than ninety minutes; the others were heard from later."""
    told["until"] = "2026-05-04T19:44:00-06:00"
    told["started_at"] = "2026-05-04T18:00:00-06:00"
    assert counts(judged(told, town)) == {"lost_verdicts": 1}


@pytest.mark.parametrize("seed", range(12))
def test_planted_loss_is_found(told: dict[str, Any], town: Town, seed: int) -> None:
    """Whatever the seed takes away, the oracle sees it."""
    evidence = Evidence.read(told)
    planted = plant_a_loss(evidence, town, seed)
    assert planted.is_found(compare(evidence, town), town), planted.what


def test_seeds_take_away_different_things(told: dict[str, Any], town: Town) -> None:
    """All four kinds of loss are planted by some seed."""
    evidence = Evidence.read(told)
    kinds = {plant_a_loss(evidence, town, seed).count for seed in range(40)}
    assert kinds == {"lost_readings", "lost_verdicts", "lost_messages", "lost_replies"}
