"""By what right words become public."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.events.decisions import CoordinatorDecided
from schemas.events.warnings import ZoneText
from schemas.municipality.town import Role
from schemas.vocabulary import AuthorityKind, Level, Verb, Via
from services.notify.domain.authority import (
    Bound,
    by_renewal_rule,
    operator_of_person,
    right_of_operator,
    safe_release,
)
from tests.unit.notify.domain_rig import NOW, town
from tests.unit.notify.flow_rig import snapshot


def _decision(operator: str = "ana", verb: Verb = Verb.APPROVE) -> CoordinatorDecided:
    return CoordinatorDecided(
        decision_id="d-1", incident_id="inc-1", verb=verb, operator_id=operator, decided_at=NOW, via=Via.CLI
    )


def test_operator_named_by_the_law_may_authorise() -> None:
    right = right_of_operator(_decision(), town(), NOW)
    assert right.authority is not None
    assert right.authority.instrument == "Acuerdo 3-2026"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_to": NOW - timedelta(days=1)}, "operator.not_in_office"),
        ({"valid_from": NOW + timedelta(days=1)}, "operator.not_in_office"),
        ({"roles": (Role.COORDINATOR,)}, "operator.not_authoriser"),
    ],
    ids=["expired", "not yet", "wrong role"],
)
def test_operator_without_the_right_is_refused(change: dict[str, object], code: str) -> None:
    folder = town()
    operators = tuple(row.model_copy(update=change) for row in folder.operators)
    right = right_of_operator(_decision(), replace(folder, operators=operators), NOW)
    assert (right.authority, right.reasons[0].code) == (None, code)


def test_operator_whom_no_instrument_names_is_refused() -> None:
    folder = town()
    legal = folder.legal.model_copy(update={"signatories": ()})
    right = right_of_operator(_decision(), replace(folder, legal=legal), NOW)
    assert right.reasons[0].code == "operator.no_instrument"


def test_stranger_is_refused_and_passing_needs_no_authoriser() -> None:
    folder = town()
    assert right_of_operator(_decision("nadie"), folder, NOW).reasons[0].code == "operator.unknown"
    plain = tuple(row.model_copy(update={"roles": (Role.COORDINATOR,)}) for row in folder.operators)
    assert right_of_operator(_decision(verb=Verb.PASS), replace(folder, operators=plain), NOW).authority


def test_phone_belongs_to_its_operator() -> None:
    found = operator_of_person(town(), "beto", NOW)
    assert found is not None
    assert found.id == "beto"
    assert operator_of_person(town(), "brigada-norte", NOW) is None


@pytest.mark.parametrize(
    ("waited_s", "sources", "level", "code"),
    [
        (179, 2, 3, "release.too_early"),
        (180, 1, 3, "release.not_corroborated"),
        (180, 2, 2, "release.no_resolution"),
        (180, 2, 3, "authority.safe_release"),
    ],
    ids=["too early", "one source", "level too low", "released"],
)
def test_safe_release_needs_time_sources_and_level(
    waited_s: int, sources: int, level: int, code: str
) -> None:
    incident = snapshot(NOW, level=level, corroboration=sources)
    right = safe_release(
        town(min_sources=2),
        incident,
        Level(level),
        ["z-001"],
        asked_at=NOW,
        at=NOW + timedelta(seconds=waited_s),
    )
    assert right.reasons[0].code == code
    assert (right.authority is not None) == code.startswith("authority")


def test_town_without_resolution_releases_nothing() -> None:
    right = safe_release(
        town(safe_release=False),
        snapshot(NOW),
        Level.IMPACT,
        ["z-001"],
        asked_at=NOW,
        at=NOW + timedelta(days=1),
    )
    assert right.authority is None


def test_resolution_for_other_zones_releases_nothing() -> None:
    folder = town()
    row = folder.legal.safe_release[0].model_copy(update={"zones": ("z-002",)})
    legal = folder.legal.model_copy(update={"safe_release": (row,)})
    later = NOW + timedelta(hours=1)
    right = safe_release(
        replace(folder, legal=legal), snapshot(NOW), Level.ACT, ["z-001", "z-002"], asked_at=NOW, at=later
    )
    assert right.reasons[0].code == "release.no_resolution"


@pytest.mark.parametrize(
    "change",
    [
        {"incident_version": 2},
        {"zones": ("z-001", "z-002")},
        {"audience_digest": "b"},
        {"texts": (ZoneText(zone="z-001", language="es", text="Salga Ya", segments=1),)},
        {"incident_id": "inc-2"},
    ],
    ids=["version", "area", "audience", "one letter", "incident"],
)
def test_change_of_one_byte_is_another_hash(change: dict[str, object]) -> None:
    words = (ZoneText(zone="z-001", language="es", text="Salga YA", segments=1),)
    bound = Bound("inc-1", 1, ("z-001",), words, "a")
    assert replace(bound, **change).content_hash != bound.content_hash


def test_rule_of_renewal_names_itself() -> None:
    right = by_renewal_rule(NOW)
    assert right.authority is not None
    assert right.authority.kind is AuthorityKind.RENEWAL_RULE
