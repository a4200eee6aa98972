"""Words of danger to life: heard however they are written, and not heard where they are denied."""

from __future__ import annotations

import pytest

from services.ingest.domain.privacy import redacted
from services.triage.domain.danger import listen

CALLS = {
    "niño atrapado": "child_trapped",
    "Hay un NIÑO ATRAPADO en la casa azul": "child_trapped",
    "nino atrpado en el rio": "child_trapped",
    "ay un niño atrapao": "child_trapped",
    "bebe enterrado por el derrumbe": "child_trapped",
    "un perro y un niño atrapados": "child_trapped",
    "no sé si hay un niño atrapado": "child_trapped",
    "nadie viene mi hijo esta atrapado": "child_trapped",
    "no hay luz y hay un niño atrapado": "child_trapped",
    "no llega la ambulancia niño atrapado": "child_trapped",
    "se lo lleva el río": "swept_away",
    "se lo yebo la corriente": "swept_away",
    "lo arrastró la quebrada": "swept_away",
    "mi papá se está ahogando": "drowning",
    "estamos atrapados en el techo": "person_trapped",
    "hay gente atrapada": "person_trapped",
    "le dio corriente al señor": "electrocuted",
    "no respira": "hurt",
    "no podemos salir de la casa": "stuck",
    "se quema una casa": "fire",
    "huele a gas": "gas_leak",
    "cable caído echando chispas": "live_wire",
    "poste con cable vivo": "live_wire",
    "el cable no deja de echar chispas": "live_wire",
    "se está inundando la casa": "house_flooded",
    "se nos metió el agua a la casa": "house_flooded",
    "se desbordó la quebrada": "river_out",
    "se vino el cerro": "landslide",
    "la alcantarilla no tiene tapa": "open_manhole",
    "coladera sin tapa": "open_manhole",
    "el arbol se va a caer": "about_to_fall",
    "auxilioooo": "cry",
}
QUIET = [
    "",
    "foco fundido",
    "bache en la calle",
    "semáforo apagado",
    "gato atrapado en el arbol",
    "quema de basura",
    "curso de primeros auxilios",
    "hay mucha agua en la esquina",
    "la pipa lleva agua a la colonia",
    "el camión de la basura no pasó",
    "cable de internet caido",
    "fuga de agua en la calle",
    "poste sin luz",
]
DENIED = [
    "no hay nadie atrapado",
    "no hay niños atrapados",
    "No hay ningún niño atrapado",
    "no hay niños ni adultos atrapados",
    "el niño no está atrapado",
    "atrapados: ninguno",
    "sin personas atrapadas",
    "no hay heridos",
    "no hay fuga de gas",
    "no se está inundando la casa",
    "no hay cables caídos",
]


@pytest.mark.parametrize(("text", "code"), CALLS.items(), ids=CALLS)
def test_danger_is_heard_however_it_is_written(text: str, code: str) -> None:
    assert code == listen(text).dangers[0].code


@pytest.mark.parametrize("text", QUIET, ids=[text or "nothing" for text in QUIET])
def test_the_same_words_without_danger_call_nobody(text: str) -> None:
    assert ((), ()) == (listen(text).dangers, listen(text).denied)


@pytest.mark.parametrize("text", DENIED, ids=DENIED)
def test_denied_danger_is_not_heard_and_is_known_as_denied(text: str) -> None:
    heard = listen(text)
    assert ((), True) == (heard.dangers, bool(heard.denied))


@pytest.mark.parametrize("text", CALLS, ids=CALLS)
@pytest.mark.parametrize("write", [str.upper, str.title, str.lower], ids=["LOUD", "Headline", "low"])
def test_what_the_door_takes_out_never_hides_a_danger(text: str, write: object) -> None:
    """The door removes names before triage listens: however it is written, the danger stays."""
    written = write(f"{text}. Soy Juan Pérez, 7012-3456")  # type: ignore[operator] # parametrised
    left = redacted(written, ("La Vega",))
    assert CALLS[text] == listen(left).dangers[0].code
    assert "rez" not in left.lower()
