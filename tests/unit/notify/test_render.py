"""The words that one zone reads."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.vocabulary import Level
from services.notify.domain.render import MixedMessage, Words, finished, stamped, until, zone_texts
from services.notify.domain.segments import is_gsm7
from tests.unit.notify.domain_rig import CATALOGUES, NOW, town
from tests.unit.notify.flow_rig import snapshot


def _words(kind: str = "warning", level: int = 3, exercise_id: str | None = None) -> Words:
    return Words(kind, "flood", Level(level), NOW + timedelta(hours=3), NOW, "V7K2", exercise_id)


def _text(words: Words) -> str:
    return zone_texts(words, town(), snapshot(NOW), ["z-001"], CATALOGUES)[0].text


def test_text_says_who_what_where_what_to_do_until_when_and_where_to_check() -> None:
    assert _text(_words()) == (
        "ALCALDIA DE ALTA: Rio Claro se desborda en Zona 001. Agua de 1 m en 40 min. Salga YA a pie a "
        "Escuela Central por Calle 3. No cruce agua. Hasta 05:45. Compruebe en la alcaldia V7K2"
    )


def test_each_zone_reads_its_own_text() -> None:
    texts = zone_texts(_words(), town(), snapshot(NOW), ["z-002", "z-001"], CATALOGUES)
    assert [(words.zone, words.language) for words in texts] == [("z-001", "es"), ("z-002", "es")]
    assert "Zona 002" in texts[1].text


def test_when_the_water_is_there_nobody_is_sent_through_it() -> None:
    assert "Suba YA a un piso alto" in _text(_words(level=4))


@pytest.mark.parametrize("kind", ["warning", "renewal", "lift"])
def test_texts_have_letters_of_one_segment(kind: str) -> None:
    """á í ó ú are sent without accent, one of them would triple the cost."""
    assert is_gsm7(_text(_words(kind)))


def test_hour_of_another_day_names_the_day() -> None:
    """Nobody has to work out at 23:00 what "until 05:00" means."""
    assert until(NOW + timedelta(hours=3), NOW, town(), CATALOGUES["es"]) == "05:45"
    assert until(NOW + timedelta(hours=30), NOW, town(), CATALOGUES["es"]) == "miércoles 08:45"


def test_drill_is_stamped_at_both_ends() -> None:
    text = _text(_words(exercise_id="drill-1"))
    assert text.startswith("SIMULACRO (ENSAYO) ALCALDIA")
    assert text.endswith("FIN DE SIMULACRO")
    assert "SIMULACRO" not in _text(_words())


@pytest.mark.parametrize("text", ["Esto no es real", "Alerta verdadera", "Peligro REAL."])
def test_drill_never_speaks_of_what_is_real(text: str) -> None:
    """Negations get lost: what is left of "no es real" is "real"."""
    with pytest.raises(MixedMessage):
        stamped(text, "drill-1", CATALOGUES["es"])


def test_finished_text_is_tidy() -> None:
    assert finished("Salga  YA . Ñandú", None, CATALOGUES["es"]) == "Salga YA. Ñandu"
