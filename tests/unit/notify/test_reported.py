"""What people report calls whoever is on duty, and is never a source for words to residents."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.events.base import Reason
from schemas.events.incidents import Evidence, IncidentClassified
from schemas.vocabulary import EvidenceSource, Hazard, Level, Property, WarningState
from services.notify.domain import compose
from services.notify.domain.authority import safe_release
from services.notify.domain.plan import Held, HeldWarning, Told, plan
from tests.unit.notify.domain_rig import CATALOGUES, NOW, town
from tests.unit.notify.flow_rig import snapshot

TOLD = Told(Level.ACT, ("z-001",))
ASKED = HeldWarning(1, WarningState.REQUESTED, Level.ACT, ("z-001",), Level.ACT, ("z-001",))
DANGER = Reason(code="report.danger", text="Reporte: niño atrapado en Zona 001.")


def said(zone: str = "z-001", what: str = "niño atrapado", level: int = 2) -> Evidence:
    return Evidence(
        rule_id="report.child_trapped",
        sensor_id=f"report:{zone}:child_trapped",
        site="report",
        property=Property.UNKNOWN,
        observed_at=NOW,
        level=Level(level),
        source=EvidenceSource.REPORT,
        what=what,
        zone=zone,
    )


def reported(
    *rows: Evidence, alone: bool = False, is_news: bool = True, **options: object
) -> IncidentClassified:
    made = snapshot(NOW, **options)  # type: ignore[arg-type] # what a test says
    evidence = (*(() if alone else made.evidence), *rows)
    return made.model_copy(update={"evidence": evidence, "reasons": (DANGER,) if is_news else made.reasons})


def page_of(incident: IncidentClassified) -> str:
    return compose.page(town(), incident, "4712", CATALOGUES["es"])


def test_page_says_what_is_reported_and_what_was_measured() -> None:
    assert page_of(reported(said())).startswith(
        "Villa Alta Acción: reporte: niño atrapado, Rio Claro 3.11 m en Zona 001."
    )


def test_page_of_reports_alone_says_only_that() -> None:
    text = page_of(reported(said(), alone=True, level=2))
    assert text.startswith("Villa Alta Preparación: reporte: niño atrapado en Zona 001.")


def test_page_names_the_zone_where_the_incident_is_wider() -> None:
    text = page_of(reported(said("z-002"), zones=("z-001", "z-002")))
    assert "reporte: niño atrapado en Zona 002, Rio Claro" in text


def test_what_endangers_nobody_is_not_in_the_page() -> None:
    assert "reporte" not in page_of(reported(said(what="encharcamiento", level=0)))


def pages(incident: IncidentClassified, seen: int) -> bool:
    """Say whether this version pages, where the one before was told and its question stands."""
    held = Held(TOLD, ASKED, version=seen)
    return plan(incident, town(), held, now=NOW, catalogues=CATALOGUES).page is not None


def test_new_danger_pages_again_at_the_same_level_and_only_once() -> None:
    """The version planned afresh, and later ones that only count, wake nobody."""
    news = reported(said(), version=2, previous=3)
    counted = reported(said(), version=3, previous=3, is_news=False)
    assert (True, False, False) == (pages(news, 1), pages(news, 2), pages(counted, 2))


@pytest.mark.parametrize("hazard", [Hazard.STREET, Hazard.FIRE, Hazard.RESCUE])
def test_danger_without_a_protocol_calls_and_neither_warns_nor_sends_brigades(hazard: Hazard) -> None:
    """A live cable is no flood: the first protocol says whom to call, not what to shout."""
    incident = reported(said(), alone=True, level=3).model_copy(update={"hazard": hazard})
    made = plan(incident, town(), Held(), now=NOW, catalogues=CATALOGUES)
    assert (True, None, ()) == (made.page is not None, made.request, made.tasks)


@pytest.mark.parametrize(
    ("zone", "code"), [("z-001", "authority.safe_release"), ("z-002", "release.only_reported")]
)
def test_a_zone_that_only_people_brought_to_the_level_is_not_released(zone: str, code: str) -> None:
    """The gauge speaks for Zona 001; of Zona 002 only people do."""
    incident = reported(said(zone, level=3), zones=("z-001", "z-002"), corroboration=2)
    later = NOW + timedelta(minutes=5)
    right = safe_release(town(), incident, Level.ACT, incident.zones, asked_at=NOW, at=later)
    assert code == right.reasons[0].code
