"""What a text for residents must say, and may not."""

from __future__ import annotations

import pytest

from schemas.events.warnings import ZoneText
from schemas.vocabulary import Hazard
from services.notify.domain.lint import lint_free, lint_warning, refused
from services.notify.domain.segments import segments_of
from tests.unit.notify.domain_rig import CATALOGUES, town

GOOD = (
    "ALCALDIA DE ALTA: el Rio Claro se desborda en Zona 001. Agua de 1 m en 40 min. Salga YA a pie a "
    "Escuela Central por Calle 3. No cruce agua. Hasta 06:00. V7K2"
)


def _codes(text: str) -> set[str]:
    words = ZoneText(zone="z-001", language="es", text=text, segments=segments_of(text))
    return {
        reason.code for reason in refused(lint_warning([words], town(), Hazard.FLOOD, "V7K2", CATALOGUES))
    }


def test_whole_text_passes_in_one_segment() -> None:
    assert _codes(GOOD) == set()
    assert segments_of(GOOD) == 1


@pytest.mark.parametrize(
    ("gone", "code"),
    [
        ("ALCALDIA DE ALTA: ", "lint.missing_source"),
        ("el Rio Claro se desborda", "lint.missing_hazard"),
        ("Zona 001", "lint.missing_place"),
        ("Hasta 06:00.", "lint.missing_until"),
        ("V7K2", "lint.missing_verify"),
    ],
)
def test_missing_element_is_named(gone: str, code: str) -> None:
    assert code in _codes(GOOD.replace(gone, "..."))


def test_missing_action_and_impact_are_named() -> None:
    found = _codes("ALCALDIA DE ALTA: el Rio Claro se desborda en Zona 001 ahora. Hasta 06:00. V7K2")
    assert found == {"lint.missing_action", "lint.missing_impact"}


@pytest.mark.parametrize("words", ["Alerta roja.", "Nivel 3.", "alerta nivel 2", "Lo dice el COE."])
def test_levels_colours_and_acronyms_are_refused(words: str) -> None:
    """Colours belong to the law, levels mean nothing to who reads at night."""
    assert "lint.jargon" in _codes(f"{GOOD} {words}")


@pytest.mark.parametrize("words", ["Su alcalde cuida.", "La Alcaldesa avisa.", "Partido X"])
def test_no_mayor_and_no_party(words: str) -> None:
    assert "lint.boast" in _codes(f"{GOOD} {words}")


def test_long_text_is_shown_not_refused() -> None:
    """Two segments are better than a missing element."""
    words = ZoneText(zone="z-001", language="es", text=GOOD, segments=4)
    findings = lint_warning([words], town(), Hazard.FLOOD, "V7K2", CATALOGUES)
    assert [(finding.reason.code, finding.refused) for finding in findings] == [("lint.segments", False)]


def test_correction_must_say_whose_it_is() -> None:
    words = ZoneText(zone="z-001", language="es", text="Fue un error.", segments=1)
    assert [reason.code for reason in refused(lint_free([words], town()))] == ["lint.missing_source"]
