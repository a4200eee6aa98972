"""The life of a warning."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.municipality.duty import WarningPlan
from schemas.vocabulary import Level, WarningState
from services.notify.domain.warning import (
    TRANSITIONS,
    NotAllowed,
    Step,
    end_of_validity,
    material_change,
    may,
    move,
    renewal,
)
from tests.unit.notify.domain_rig import NOW
from tests.unit.notify.flow_rig import snapshot


def test_nothing_is_sent_before_authority() -> None:
    """The only ways into force lead through a request."""
    into_force = {state for (state, _), after in TRANSITIONS.items() if after is WarningState.AUTHORISED}
    assert into_force == {WarningState.REQUESTED, WarningState.AUTHORISED}


@pytest.mark.parametrize("step", [Step.REQUEST, Step.RENEW, Step.CORRECT, Step.REJECT, Step.VOID])
def test_warning_in_force_stays_until_a_person_lifts_it(step: Step) -> None:
    assert move(WarningState.AUTHORISED, step) is WarningState.AUTHORISED


@given(st.sampled_from([WarningState.LIFTED, WarningState.REJECTED]), st.sampled_from(list(Step)))
def test_what_is_over_is_over(state: WarningState, step: Step) -> None:
    """A lifted or rejected warning never comes back; a new one is made."""
    assert not may(state, step)
    with pytest.raises(NotAllowed) as caught:
        move(state, step)
    assert caught.value.reason.text.startswith("No se puede")


def test_more_evidence_changes_nothing_material() -> None:
    assert material_change(Level.ACT, ["z-001"], snapshot(NOW, version=9, corroboration=5)) is None


@pytest.mark.parametrize(
    ("level", "zones", "code"),
    [(4, ("z-001",), "request.level_changed"), (3, ("z-001", "z-002"), "request.zones_changed")],
)
def test_another_level_or_area_is_material(level: int, zones: tuple[str, ...], code: str) -> None:
    reason = material_change(Level.ACT, ["z-001"], snapshot(NOW, level=level, zones=zones))
    assert reason is not None
    assert reason.code == code


def test_renewal_is_asked_and_then_applied_before_the_end() -> None:
    plan = WarningPlan(template="flood", valid_hours=4)
    times = renewal(NOW, plan)
    assert (NOW - times.ask_at, NOW - times.apply_at) == (timedelta(minutes=30), timedelta(minutes=5))


@given(st.integers(0, 3600 * 24), st.floats(0.1, 72))
def test_end_is_never_before_what_was_meant_and_can_be_said_in_minutes(second: int, hours: float) -> None:
    since = NOW + timedelta(seconds=second)
    end = end_of_validity(since, timedelta(hours=hours))
    assert timedelta(0) <= end - (since + timedelta(hours=hours)) < timedelta(minutes=5)
    assert (end.minute % 5, end.second, end.microsecond) == (0, 0, 0)
