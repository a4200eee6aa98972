"""``rulebook check`` and ``rulebook explain``: what a town wrote, found faulty or told in plain words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.towns import change

EXAMPLES = Path(__file__).parents[3] / "deploy" / "municipalities"
Municipio = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ejemplo(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES / "ejemplo", tmp_path / "ejemplo"))


def test_what_is_odd_is_listed_and_no_fault(municipio: Municipio, ejemplo: Path) -> None:
    """The example's rain gauge and its high quarter have no rule: said, and the folder is in order."""
    code, out, err = municipio("rulebook", "check", "--municipality", str(ejemplo))
    sensors, zones = f"{ejemplo}/sensors.csv", f"{ejemplo}/zones.geojson"
    expected = [
        f"{sensors}:7: sensor_id: warning: no rule judges lluvia-loma",
        f"{zones}:58: features[3].properties.id: warning: no rule covers la-loma: nothing warns it",
    ]
    assert (0, expected) == (code, out.splitlines())
    assert f"{ejemplo}: in order; look at 2 warning(s)" == err.strip()


def test_faults_hide_what_is_only_odd(municipio: Municipio, ejemplo: Path) -> None:
    """While a rule cannot be read, nobody says that it judges nothing."""
    change(ejemplo, "rulebook.yaml", "zones: [el-centro]", "zones: [el-norte]")
    change(ejemplo, "rulebook.yaml", "sensor: rc-sanjose", "sensor: rc-nada")
    code, out, err = municipio("rulebook", "check", "--municipality", str(ejemplo), "--json")
    answer = json.loads(out)
    assert (1, "", False) == (code, err, answer["ok"])
    assert [("rules[3].zones[0]", "error"), ("rules[4].sensor", "error")] == [
        (item["field"], item["severity"]) for item in answer["items"]
    ]


def test_warnings_are_told_apart_in_json(municipio: Municipio, ejemplo: Path) -> None:
    """A program sees that the folder can be used."""
    code, out, _ = municipio("rulebook", "check", "--municipality", str(ejemplo), "--json")
    answer = json.loads(out)
    assert (0, True, {"warning"}) == (code, answer["ok"], {item["severity"] for item in answer["items"]})


@pytest.mark.parametrize("command", [("check",), ("explain", "claro-puente", "--rulebook")])
def test_a_rulebook_that_is_no_file_is_wrong_use(municipio: Municipio, command: tuple[str, ...]) -> None:
    """Unreadable input is 2, and named."""
    code, _, err = municipio("rulebook", *command, "ghost.yaml")
    assert (2, True) == (code, "ghost.yaml cannot be read" in err)


CLARO_PUENTE = """\
Regla claro-puente: crecida en La Vega

Qué mira
  Mira el Río Claro en el sitio puente-viejo, con el sensor rc-puente. Decide por La Vega (1150 personas).
  Mide el nivel del río en metros, cada 15 min. Su cero es «cero mira Puente Viejo».
  Sube al nivel 1 (Vigilancia) con 2,00 m o más. Lo deja cuando baja de 1,90 m.
  Sube al nivel 2 (Preparación) con 2,50 m o más. Lo deja cuando baja de 2,40 m.
  Sube al nivel 3 (Acción) con 3,00 m o más. Lo deja cuando baja de 2,90 m.
  Sube al nivel 4 (Impacto) con 3,60 m o más. Lo deja cuando baja de 3,50 m.
  Entre los dos valores nada cambia. Así, un valor que oscila no llama dos veces.
  Hacen falta 2 lecturas seguidas. Eso toma 15 min.
  Lo medido queda firme a los 15 min. Una lectura tardía puede subir el nivel. Nunca lo baja.
  El incidente no baja solo. Lo baja una persona.

Desde cuándo y por quién
  Rige desde el 1 de enero de 2026. No tiene fecha de fin.
  La escribió Ana.
  La firmaron Ana y Carla.
  Fuente: Acuerdo municipal 3-2026, anexo A (ficticio). Marca de la crecida en la escuela a 3.00 m.

Qué se hace en el nivel 1 (Vigilancia)
  Al momento: mensaje a quien está de turno.

Qué se hace en el nivel 2 (Preparación)
  Al momento: mensaje a quien está de turno.
  Tras 5 min sin respuesta: llamada a quien está de turno.
  Tras 10 min sin respuesta: mensaje a la persona que sigue.
  Tarea de Brigada Norte: Revisar desagües y el paso de La Vega; preparar megáfono. Plazo: 1 h.

Qué se hace en el nivel 3 (Acción)
  Al momento: mensaje a quien está de turno.
  Tras 2 min sin respuesta: llamada a quien está de turno.
  Tras 3 min 30 s sin respuesta: llamada a quien está de turno.
  Tras 5 min sin respuesta: mensaje y llamada a la persona que sigue.
  Tras 10 min sin respuesta: mensaje y llamada a toda la guardia.
  Tarea de Brigada Norte: Avisar con megáfono en la zona y acompañar la salida al refugio. Plazo: 20 min.
  Tarea de Brigada Sur: Abrir el refugio y cerrar el paso del vado. Plazo: 20 min.
  Se pide permiso para avisar a los vecinos. Lo firma una persona.
  Si nadie responde en 3 min, el aviso sale solo, siempre que 2 sitios lo muestren. \
Lo permite la resolución 12-2026.
  El aviso dura 4 h. Antes del final se pregunta si sigue. Si nadie responde, se renueva.

Qué se hace en el nivel 4 (Impacto)
  Al momento: mensaje a quien está de turno.
  Tras 1 min sin respuesta: llamada a quien está de turno.
  Tras 3 min sin respuesta: llamada a la persona que sigue.
  Tras 5 min sin respuesta: llamada a toda la guardia.
  Tarea de Brigada Sur: Rescate con lancha desde la Escuela Central. Plazo: 15 min.
"""

SILENCIO_RIO = """\
Regla silencio-rio: crecida, cuando falta un dato

Qué mira
  Vigila que sigan hablando: rc-arriba (puente-arriba), rc-mercado (mercado), rc-puente (puente-viejo), \
rc-sanjose (san-jose) y rc-vado (vado-la-vega).
  Si un sitio entero calla más de 1 h 30 min, se abre una sola tarea.
  El silencio no es calma. El último nivel se queda.
  La tarea se abre en el nivel 1 (Vigilancia).
"""


@pytest.fixture
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release of the example town holds for one year only."""
    from municipio.commands import rulebook

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 5, 5, 8, 45, tzinfo=tz)

    monkeypatch.setattr(rulebook, "datetime", Then)


@pytest.mark.usefixtures("in_2026")
def test_level_rule_is_told_as_a_coordinator_would(municipio: Municipio, ejemplo: Path) -> None:
    """Place, sensor, thresholds, hysteresis, readings that agree, dates, signatures, and what is done."""
    code, out, _ = municipio("rulebook", "explain", "claro-puente", "--municipality", str(ejemplo))
    assert (0, CLARO_PUENTE) == (code, out)


def test_silence_rule_is_told(municipio: Municipio, ejemplo: Path) -> None:
    """It says whom it watches, and that silence is no calm."""
    code, out, _ = municipio("rulebook", "explain", "silencio-rio", "--municipality", str(ejemplo))
    assert (0, True) == (code, out.startswith(SILENCIO_RIO))


def test_sentences_can_be_read_aloud(municipio: Municipio, ejemplo: Path) -> None:
    """Beside what the town itself wrote, no sentence is longer than a breath."""
    _, out, _ = municipio("rulebook", "explain", "claro-vado", "--municipality", str(ejemplo))
    ours = [line for line in out.splitlines() if "Fuente:" not in line and "Tarea de" not in line]
    sentences = [words for line in ours for words in line.strip(".").split(". ")]
    assert all(len(words.split()) <= 18 for words in sentences), sentences


def test_every_row_of_a_rule_is_told_by_its_dates(municipio: Municipio, ejemplo: Path) -> None:
    """The row that ended says so; in JSON the times carry the town's offset."""
    path = ejemplo / "rulebook.yaml"
    text = path.read_text(encoding="utf-8")
    row = text[text.index("  - id: claro-vado") : text.index("  - id: claro-mercado")]
    ended = row.replace("    author:", "    valid_to: 2026-01-02T00:00:00-06:00\n    author:")
    later = row.replace("valid_from: 2026-01-01", "valid_from: 2026-01-02")
    path.write_text(text.replace(row, later + ended), encoding="utf-8")
    words = ("rulebook", "explain", "claro-vado", "--municipality", str(ejemplo), "--json")
    answer = json.loads(municipio(*words)[1])
    assert ("municipio/rulebook-explain/1", "claro-vado") == (answer["schema"], answer["rule"])
    assert [("2026-01-01T00:00:00-06:00", False), ("2026-01-02T00:00:00-06:00", True)] == [
        (item["valid_from"], item["in_force"]) for item in answer["items"]
    ]
    said = answer["items"][0]["paragraphs"][1]["sentences"]
    assert ["Rige desde el 1 de enero de 2026 hasta el 2 de enero de 2026.", "Ya no rige."] == said[:2]


def test_row_of_another_zero_says_that_it_does_not_count(municipio: Municipio, ejemplo: Path) -> None:
    """The gauge got another zero: the old row ends with it, and how it comes back is said."""
    change(ejemplo, "sensors.csv", "travel_min,network", "travel_min,network,datum_since")
    text = (ejemplo / "sensors.csv").read_text(encoding="utf-8")
    text = text.replace(",alcaldia\n", ",alcaldia,\n").replace(
        "cero mira El Vado,Río Claro,13.5493,-88.8921,-0.5,9,900,,,alcaldia,",
        "cero nuevo,Río Claro,13.5493,-88.8921,-0.5,9,900,,,alcaldia,2026-03-01T10:30:00-06:00",
    )
    (ejemplo / "sensors.csv").write_text(text, encoding="utf-8")
    code, out, _ = municipio("rulebook", "explain", "claro-vado", "--municipality", str(ejemplo))
    assert 0 == code
    assert (
        "  No cuenta desde el 1 de marzo de 2026, a las 10:30. Ese día el sensor pasó a medir desde otro"
        " cero: «cero nuevo». Para que cuente, fírmela otra vez con ese cero."
    ) in out.splitlines()


def test_rule_that_does_not_exist_is_a_no(municipio: Municipio) -> None:
    """Exit 1, with the id that was probably meant."""
    code, out, err = municipio("rulebook", "explain", "claro-puent")
    assert (1, "") == (code, out)
    assert "Did you mean claro-puente?" in err


def test_broken_rulebook_is_not_explained(municipio: Municipio, ejemplo: Path) -> None:
    """Its faults are said instead."""
    change(ejemplo, "rulebook.yaml", "zones: [el-centro]", "zones: [el-norte]")
    code, out, err = municipio("rulebook", "explain", "claro-vado", "--municipality", str(ejemplo))
    assert (1, "") == (code, out)
    assert "el-norte is not a zone of zones.geojson" in err
