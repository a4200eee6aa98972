"""A backtest as one page that needs nothing beside itself: to be read, printed and kept with a rulebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from municipio.backtest.chart import COLOURS, Drawing, Mark, Note, Span, svg
from municipio.backtest.series import Envelope, envelopes
from schemas.municipality.places import Sensor
from schemas.municipality.rulebook import LevelRule
from schemas.vocabulary import Level

if TYPE_CHECKING:
    from municipio.backtest.run import Backtest

LISTED_MOST: Final = 300
_MOMENT: Final = "%d/%m/%Y %H:%M"
Row = Mapping[str, Any]  # Any: a row of the JSON answer


def report(done: Backtest, said: Row) -> str:
    """Return the page; ``said`` is the answer of ``--json``, comparison included."""
    town = done.municipality
    title = f"Prueba en retrospectiva: {town.town.name}"
    stations = list(_stations(done, said))
    parts = [
        "<!doctype html>",
        '<html lang="es"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_style()}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *_opening(done, said),
        *_comparison(said),
        *stations,
        "</body></html>",
    ]
    return "\n".join(parts)


def _opening(done: Backtest, said: Row) -> Iterator[str]:
    begins_at, ends_at = _bounds(done)
    files = ", ".join(path.name for path in done.played.files) if done.played else ""
    yield f"<p>{escape(files)} · {_moment(done, begins_at)} a {_moment(done, ends_at)}</p>"
    yield (
        f"<p>Reglas {escape(_book(said))} · {said['readings']} lecturas, "
        f"{said['duplicates']} repetidas, {said['corrections']} corregidas, {said['missing']} sin valor, "
        f"{said['broken_count'] + said['rejected_count']} rechazadas, {said['quarantined']} de sensores "
        "desconocidos</p>"
    )
    labels = enumerate(done.municipality.town.level_labels)
    keys = [
        f'<span><i style="background:{COLOURS[level]}"></i>{escape(label)}</span>' for level, label in labels
    ]
    yield f'<p class="key">{"".join(keys)}<span>▨ sin dato</span><span>▲ mensaje</span></p>'
    yield (
        '<p class="why">Las decisiones de personas son simuladas; la autorización de avisos a la población '
        "se da por concedida.</p>"
    )


def _comparison(said: Row) -> Iterator[str]:
    books = said["comparison"]["items"] if said["comparison"] else [said]
    if any(book["skill"] for book in books):
        yield "<h2>Aciertos por umbral</h2>"
        heads = (
            "Reglas",
            "Regla",
            "Nivel",
            "Sucesos",
            "Aciertos",
            "Omisiones",
            "Falsas alarmas",
            "POD",
            "FAR",
        )
        rows = [
            [_book(book)]
            + [row[name] for name in ("rule", "level", "events", "hits", "misses", "false_alarms")]
            + [_rate(row["pod"]), _rate(row["far"]), _lead(row["lead_time_s"])]
            for book in books
            for row in book["skill"]
        ]  # fmt: skip
        yield _table((*heads, "Anticipación (mediana)"), rows)
        yield (
            '<p class="why">POD: sucesos avisados de todos los sucesos. FAR: alarmas falsas de todas las '
            "alarmas. Anticipación negativa: el aviso llegó tarde.</p>"
        )
    elif said["comparison"]:
        yield "<h2>Reglas lado a lado</h2>"
        rows = [
            [_book(book), row["rule"], row["n"], _said_at(row["first"]) if row["first"] else "—"]
            for book in books
            for row in book["summary"]
        ]
        yield _table(("Reglas", "Regla", "Veces", "Primera"), rows)


def _book(said: Row) -> str:
    return " ".join(str(each) for each in (said["rulebook"], said["rulebook_version"]) if each)


def _stations(done: Backtest, said: Row) -> Iterator[str]:
    begins_at, ends_at = _bounds(done)
    shown = envelopes(done.played, done.municipality, begins_at, ends_at) if done.played else {}
    ruled = {rule.sensor for rule in done.municipality.rulebook.level_rules}
    for sensor in done.municipality.sensors:
        if sensor.sensor_id in shown and sensor.sensor_id in ruled:
            yield f"<h2>{escape(sensor.sensor_id)}</h2>"
            yield f'<div class="wide">{svg(_drawing(done, said, sensor, shown[sensor.sensor_id]))}</div>'
            yield from _told(done, said, sensor)


def _drawing(done: Backtest, said: Row, sensor: Sensor, envelope: Envelope) -> Drawing:
    town, (begins_at, ends_at) = done.municipality, _bounds(done)
    zones, rules = _zones(done, sensor), _rules(done, sensor)
    marks = {
        Mark(int(row.level), row.raise_at, town.town.label(row.level))
        for rule in rules
        if rule.valid_from < ends_at and (rule.valid_to is None or rule.valid_to > begins_at)
        for row in rule.levels
    }
    silences = [one for one in done.town.silences if one.site == sensor.site]
    events = [event for event in done.events if any(event.concerns(rule, town) for rule in rules)]
    return Drawing(
        name=sensor.sensor_id,
        unit=sensor.unit,
        begins_at=begins_at,
        ends_at=ends_at,
        zone=town.zone_info,
        every=timedelta(seconds=sensor.expected_every_s),
        envelope=envelope,
        marks=sorted(marks),
        verdicts=list(_verdicts(done, sensor, ends_at)),
        silences=[
            Span(one.since, one.to or ends_at, f"Sin dato desde {_moment(done, one.since)}")
            for one in silences
        ],
        messages=[
            Note(datetime.fromisoformat(row["at"]), row["level"], f"{row['audience']}: {row['text']}")
            for row in said["messages"]
            if _concerns(row, zones)
        ],
        events=[Span(event.begins_at, event.ends_at or ends_at, event.what or "Ocurrió") for event in events],
    )


def _verdicts(done: Backtest, sensor: Sensor, ends_at: datetime) -> Iterator[Span]:
    """Yield the levels at which the gauge's conditions stood, normal left out."""
    mine = (each for each in done.town.changes if each.sensor_id == sensor.sensor_id)
    moves = [each for each in mine if each.kind == "condition" and each.provisional]
    moves = [each for each in moves if each.before != each.after]
    for place, move in enumerate(moves):
        later = (each.at for each in moves[place + 1 :] if each.rule == move.rule)
        if move.after:
            label = done.municipality.town.label(Level(move.after))
            yield Span(move.at, next(later, ends_at), f"{label} desde {_moment(done, move.at)}", move.after)


def _told(done: Backtest, said: Row, sensor: Sensor) -> Iterator[str]:
    moves = [
        row
        for row in said["changes"]
        if row["sensor_id"] == sensor.sensor_id and row["from"] != row["to"] and row["provisional"]
    ]
    yield from _listed(
        "Cambios de nivel",
        ("Cuándo", "De", "A", "Por qué"),
        [
            [_said_at(row["at"]), row["from"], row["to"], row["reasons"][0]["text"]]
            for row in moves
            if row["reasons"]
        ],
    )
    zones = _zones(done, sensor)
    heard = [row for row in said["messages"] if _concerns(row, zones)]
    yield from _listed(
        "Mensajes",
        ("Cuándo", "Nivel", "A quién", "Texto"),
        [[_said_at(row["at"]), row["level"], row["audience"], row["text"]] for row in heard],
    )


def _listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    if rows:
        yield f"<details><summary>{title}: {len(rows)}</summary>{_table(heads, rows[:LISTED_MOST])}"
        if len(rows) > LISTED_MOST:
            yield f"<p>y {len(rows) - LISTED_MOST} más, en la respuesta de --json.</p>"
        yield "</details>"


def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _rules(done: Backtest, sensor: Sensor) -> list[LevelRule]:
    return [rule for rule in done.municipality.rulebook.level_rules if rule.sensor == sensor.sensor_id]


def _zones(done: Backtest, sensor: Sensor) -> set[str]:
    return {zone for rule in _rules(done, sensor) for zone in rule.zones}


def _concerns(message: Row, zones: set[str]) -> bool:
    return bool(zones & set((message["zone"] or "").split(",")))


def _bounds(done: Backtest) -> tuple[datetime, datetime]:
    """Return when the recording began and ended."""
    begins_at, ends_at = done.town.first_at, done.town.last_at
    if begins_at is None or ends_at is None:
        nothing = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return nothing, nothing
    return begins_at, ends_at


def _moment(done: Backtest, at: datetime) -> str:
    return done.municipality.local(at).strftime(_MOMENT)


def _said_at(said: str) -> str:
    """Return a time of the JSON answer, which has the town's own offset, as a person reads it."""
    return datetime.fromisoformat(said).strftime(_MOMENT)


def _rate(rate: float | None) -> str:
    return "—" if rate is None else f"{rate:.2f}".replace(".", ",")


def _lead(lead: Mapping[str, float] | None) -> str:
    if lead is None:
        return "—"
    minutes = round(lead["p50"] / 60)
    sign, minutes = ("−" if minutes < 0 else ""), abs(minutes)
    return f"{sign}{minutes // 60} h {minutes % 60:02d} min"
