"""Whom to ring next while nobody answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from schemas.municipality.duty import Step, Who
from schemas.vocabulary import Channel
from services.notify.domain.escalation import Escalation, Ring, due, next_at, pull_next
from tests.unit.notify.domain_rig import NOW

STEPS = (
    Step(after_s=0, channel=Channel.SMS, who=Who.ON_DUTY),
    Step(after_s=120, channel=Channel.VOICE, who=Who.ON_DUTY),
    Step(after_s=300, channel=Channel.SMS, who=Who.NEXT),
    Step(after_s=300, channel=Channel.VOICE, who=Who.NEXT),
    Step(after_s=600, channel=Channel.SMS, who=Who.ALL),
)
FRESH = Escalation(order=("ana", "beto", "carla"), started_at=NOW)


def _after(seconds: int, state: Escalation = FRESH) -> tuple[Escalation, tuple[Ring, ...]]:
    return due(state, STEPS, NOW + timedelta(seconds=seconds))


def test_first_the_one_on_duty() -> None:
    state, rings = _after(0)
    assert rings == (Ring("ana", Channel.SMS, 0),)
    assert next_at(state, STEPS) == NOW + timedelta(seconds=120)


def test_next_by_text_and_call_at_the_same_second_is_one_person() -> None:
    """Two steps of one moment are two channels, not two persons."""
    _, rings = _after(300)
    assert [(ring.person_id, ring.channel) for ring in rings[2:]] == [
        ("beto", Channel.SMS),
        ("beto", Channel.VOICE),
    ]


def test_in_the_end_everybody() -> None:
    state, rings = _after(600)
    assert [ring.person_id for ring in rings if ring.round == 4] == ["ana", "beto", "carla"]
    assert next_at(state, STEPS) is None


def test_step_is_taken_once_however_often_the_clock_is_asked() -> None:
    state, _ = _after(130)
    assert due(state, STEPS, NOW + timedelta(seconds=130)) == (state, ())


def test_passing_pulls_the_next_person_to_now_and_skips_the_calls_between() -> None:
    """Who passed is not called any more."""
    now = NOW + timedelta(seconds=30)
    state, _ = due(FRESH, STEPS, now)
    pulled = pull_next(state, STEPS, now)
    assert pulled is not None
    later, rings = due(pulled, STEPS, now)
    assert [ring.person_id for ring in rings] == ["beto", "beto"]
    assert next_at(later, STEPS) == now + timedelta(seconds=300)


def test_last_person_cannot_pass() -> None:
    state, _ = _after(600)
    assert pull_next(state, STEPS, NOW + timedelta(seconds=601)) is None


def test_who_is_awake_is_not_called_for_the_same_question() -> None:
    state, _ = _after(0)
    _, rings = _after(120, replace(state, awake=("ana",)))
    assert rings == ()


def test_roster_of_one_rings_nobody_else() -> None:
    _, rings = _after(300, Escalation(order=("ana",), started_at=NOW))
    assert {ring.person_id for ring in rings} == {"ana"}
