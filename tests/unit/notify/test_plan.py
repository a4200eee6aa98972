"""Who is told what about an incident, and why nobody else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import Hazard, IncidentKind, Level, TaskKind, WarningState
from services.notify.domain.plan import Held, HeldWarning, Plan, Told, plan
from tests.unit.notify.domain_rig import CATALOGUES, NOW, town
from tests.unit.notify.flow_rig import snapshot

TOLD = Told(Level.ACT, ("z-001",))
ASKED = HeldWarning(1, WarningState.REQUESTED, Level.ACT, ("z-001",), Level.ACT, ("z-001",))
IN_FORCE = HeldWarning(1, WarningState.AUTHORISED, Level.ACT, ("z-001",))


def _plan(incident: IncidentSnapshot, held: Held | None = None) -> Plan:
    return plan(incident, town(), held or Held(), now=NOW, catalogues=CATALOGUES)


def _codes(made: Plan) -> list[str]:
    return [reason.code for reason in made.reasons]


@pytest.mark.parametrize(
    ("level", "pages", "asks"),
    [(0, False, False), (1, True, False), (2, True, False), (3, True, True), (4, True, True)],
)
def test_level_decides_who_is_told(level: int, pages: bool, asks: bool) -> None:
    made = _plan(snapshot(NOW, level=level))
    assert (made.page is not None, made.request is not None) == (pages, asks)
    assert made.reasons


def test_same_news_pages_nobody_twice() -> None:
    made = _plan(snapshot(NOW, version=2, previous=3), Held(TOLD, ASKED))
    assert made.page is None
    assert _codes(made) == ["plan.already_asked", "plan.already_told"]


def test_new_zone_voids_what_was_asked_and_asks_anew() -> None:
    made = _plan(snapshot(NOW, version=2, zones=("z-001", "z-002")), Held(TOLD, ASKED))
    assert made.void is not None
    assert made.request is not None
    assert made.request.zones == ("z-001", "z-002")


def test_warning_in_force_is_not_asked_again_until_it_grows() -> None:
    same = _plan(snapshot(NOW, version=2), Held(TOLD, IN_FORCE))
    assert (same.request, _codes(same)[0]) == (None, "plan.in_force")
    higher = _plan(snapshot(NOW, version=3, level=4, previous=3), Held(TOLD, IN_FORCE))
    assert higher.request is not None
    assert higher.request.number == 1


@pytest.mark.parametrize("state", [WarningState.REJECTED, WarningState.LIFTED])
def test_after_a_persons_no_only_worse_news_ask_again(state: WarningState) -> None:
    over = replace(IN_FORCE, state=state)
    same = _plan(snapshot(NOW, version=2, previous=3), Held(TOLD, over))
    assert (same.request, _codes(same)[0]) == (None, "plan.decided")
    again = _plan(snapshot(NOW, version=3, level=3, previous=2), Held(Told(Level.PREPARE), over))
    assert again.request is not None
    assert again.request.number == 2


def test_fall_below_asks_for_nothing_and_voids_what_was_asked() -> None:
    made = _plan(snapshot(NOW, version=2, level=2, previous=3), Held(TOLD, ASKED))
    assert made.void is not None
    assert (made.request, made.page) == (None, None)


def test_silence_is_read_by_a_person_not_announced() -> None:
    made = _plan(snapshot(NOW, level=1, kind=IncidentKind.NO_DATA, site="s-001"))
    assert made.request is None
    assert made.page is not None
    assert [(task.kind, task.subject) for task in made.tasks] == [(TaskKind.READ_GAUGE, "s-001")]


def test_kind_of_a_newer_release_goes_to_a_person() -> None:
    made = _plan(snapshot(NOW, kind=IncidentKind.UNKNOWN))
    assert (made.page is not None, made.request) == (True, None)
    assert "plan.unknown_kind" in _codes(made)


def test_hazard_without_protocol_is_not_low() -> None:
    """Unknown goes to a person."""
    incident = snapshot(NOW, level=2).model_copy(update={"hazard": Hazard.EARTHQUAKE})
    assert _plan(incident).page is not None


def test_text_that_the_linter_refuses_goes_to_a_person_instead() -> None:
    """A hazard whose text would not name it is not asked for; who is on duty reads why."""
    incident = snapshot(NOW).model_copy(update={"hazard": Hazard.EARTHQUAKE})
    made = _plan(incident)
    assert made.request is None
    assert [reason.code for reason in made.blocked] == ["lint.missing_hazard"]
    assert made.page is not None


def test_zone_that_is_on_no_map_warns_nobody_and_says_so() -> None:
    made = _plan(snapshot(NOW, zones=("z-999",)))
    assert made.request is None
    assert "plan.no_known_zone" in _codes(made)


def test_same_incident_plans_the_same() -> None:
    """Live and backtest are the same code, and it keeps no state of its own."""
    assert _plan(snapshot(NOW)) == _plan(snapshot(NOW))


def test_a_rise_over_two_levels_sends_the_crews_of_the_level_between() -> None:
    """The shelter is opened although the river was first seen above its level; later only what is new."""
    protocols = town().protocols
    flood = protocols.protocols[0]
    act = flood.levels[-1]
    rescue = act.tasks[0].model_copy(update={"title": "Rescate con lancha"})
    impact = act.model_copy(update={"level": Level.IMPACT, "tasks": (rescue,)})
    higher = flood.model_copy(update={"levels": (*flood.levels, impact)})
    folder = replace(town(), protocols=protocols.model_copy(update={"protocols": (higher,)}))
    between = act.tasks[0].title

    def titles(level: int, previous: int) -> list[str]:
        incident = snapshot(NOW, level=level, previous=previous)
        made = plan(incident, folder, Held(), now=NOW, catalogues=CATALOGUES)
        return [task.title for task in made.tasks]

    assert titles(4, previous=2) == [between, "Rescate con lancha"]
    assert titles(4, previous=3) == ["Rescate con lancha"]
    assert titles(3, previous=3) == [between]
