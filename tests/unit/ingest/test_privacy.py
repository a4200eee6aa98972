"""What could lead to a person does not pass the door; names of places do."""

from __future__ import annotations

import pytest

from services.ingest.domain.privacy import is_referral, redacted

PLACES = ("La Vega", "San José", "Rio Claro")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Llame al 7012-3456", "Llame al [número]"),
        ("mi tel +503 7012 3456 urgente", "mi tel [número] urgente"),
        ("DUI 01234567-8", "DUI [número]"),
        ("escriba a ana@correo.sv o @anita_r", "escriba a [enlace] o [enlace]"),
        ("vea https://x.sv/foto?p=1", "vea [enlace]"),
        ("el carro P123-456 está en el agua", "el carro [placa] está en el agua"),
        ("soy Juan Pérez y hay un niño", "soy [nombre] y hay un niño"),
        ("doña María del Carmen", "doña [nombre] del [nombre]"),
        ("JUAN PEREZ ESTA ATRAPADO", "[nombre] ESTA ATRAPADO"),
        ("juan carlos lopez atrapado", "[nombre] atrapado"),
        ("me llamo Xochitl Tepeu, auxilio", "me llamo [nombre], auxilio"),
        ("la niña Luz Martínez", "la niña [nombre]"),
    ],
)
def test_people_are_taken_out(text: str, left: str) -> None:
    assert left == redacted(text, PLACES)


@pytest.mark.parametrize(
    "text",
    [
        "atrapado en La Vega junto al Rio Claro",
        "se inunda San José",
        "frente a la escuela José Martí",
        "calle Juan Pablo II, pasaje 3, casa 12",
        "Niño Atrapado En El Techo",
        "hay luz en la cruz del cerro",
        "sube 30 cm cada 10 minutos desde las 02:40",
    ],
)
def test_places_and_dangers_stay(text: str) -> None:
    assert text == redacted(text, PLACES)


@pytest.mark.parametrize(
    "text", ["mi esposo me golpea", "los mareros me amenazan, ES EXTORSIÓN", "una violación", "Me Pega"]
)
def test_violence_between_people_is_referred(text: str) -> None:
    assert is_referral(text)


@pytest.mark.parametrize("text", ["la corriente golpea el muro", "un niño atrapado", "viola la ordenanza"])
def test_other_words_are_not_referred(text: str) -> None:
    assert not is_referral(text)
