"""Put the words together that one zone reads in one language. Pure.

Drills are stamped here and nowhere else: no other module may write SIMULACRO.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import ZoneText
from schemas.municipality.folder import Municipality
from schemas.municipality.places import Zone
from schemas.vocabulary import Level
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.segments import segments_of, transliterate

# Words that a drill may not hold: negations get lost, and what is left of "no es real" is "real".
FORBIDDEN_IN_DRILL: Final = ("real", "verdadera", "verdadero", "no es", "not a", "emergencia verdadera")

Catalogues = Mapping[str, Catalogue]


class MixedMessage(ValueError):
    """A drill's text speaks of something real, or the reverse: it must not leave."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a text of one zone is made of, apart from the town's own data.

    Attributes:
        kind: ``warning``, ``renewal`` or ``lift``.
        now: When it is written; both times are shown on the town's clock.
    """

    kind: str
    template: str
    level: Level
    valid_until: datetime
    now: datetime
    verify_code: str
    exercise_id: str | None = None


def zone_texts(
    words: Words, town: Municipality, incident: IncidentSnapshot, zones: Iterable[str], catalogues: Catalogues
) -> tuple[ZoneText, ...]:
    """Return the text of each zone in each of the town's languages.

    Raises:
        MixedMessage: A drill's text holds a word that a drill may not hold.
    """
    return tuple(
        _zone_text(words, town, incident, town.zone_of[zone], catalogues[language])
        for zone in sorted(zones)
        for language in town.town.languages
    )


def _zone_text(
    words: Words, town: Municipality, incident: IncidentSnapshot, zone: Zone, catalogue: Catalogue
) -> ZoneText:
    text = finished(_filled(words, town, incident, zone, catalogue), words.exercise_id, catalogue)
    return ZoneText(zone=zone.id, language=catalogue.language, text=text, segments=segments_of(text))


def finished(text: str, exercise_id: str | None, catalogue: Catalogue) -> str:
    """Return the text as it is sent: tidy, letters that GSM-7 knows, stamped when it belongs to a drill."""
    tidy = " ".join(text.split()).replace(" .", ".").replace("..", ".")
    return transliterate(stamped(tidy, exercise_id, catalogue))


def stamped(text: str, exercise_id: str | None, catalogue: Catalogue) -> str:
    """Return the text between the drill's stamps, or as it is when there is no drill."""
    if exercise_id is None:
        return text
    low = transliterate(text).lower()
    for word in FORBIDDEN_IN_DRILL:
        if f" {word} " in f" {low.replace('.', ' ').replace(',', ' ')} ":
            raise MixedMessage(f"un ensayo no puede decir «{word}»")
    return f"{catalogue.text('drill.start')} {text} {catalogue.text('drill.end')}"


def until(at: datetime, now: datetime, town: Municipality, catalogue: Catalogue) -> str:
    """Return ``06:00``, with the day when it is not today: nobody has to work out what "tomorrow" is."""
    local, today = town.local(at), town.local(now)
    hour = f"{local:%H:%M}"
    if local.date() == today.date():
        return hour
    return f"{catalogue.words('day.names')[local.weekday()]} {hour}"


def river_of(incident: IncidentSnapshot, town: Municipality) -> str:
    """Return the name of the river that the evidence was measured in, if any."""
    sensors = (town.sensor_of.get(evidence.sensor_id) for evidence in incident.evidence)
    return next((sensor.river for sensor in sensors if sensor and sensor.river), "")


def _filled(
    words: Words, town: Municipality, incident: IncidentSnapshot, zone: Zone, catalogue: Catalogue
) -> str:
    section = f"warning.{words.template}"
    refuge = town.refuge_of[zone.refuge].name
    river = river_of(incident, town) or catalogue.text(f"{section}.river")
    route = catalogue.text("route.with").format(route=zone.route) if zone.route else ""
    action = catalogue.text(f"{section}.{'action_impact' if words.level >= Level.IMPACT else 'action'}")
    parts = {
        "source": town.town.sender.name,
        "zone": zone.name,
        "hazard": catalogue.text(f"{section}.hazard").format(river=river),
        "impact": zone.impact or catalogue.text(f"{section}.impact"),
        "action": action.format(to=catalogue.text("place.to").format(refuge=refuge), route=route),
        "until": until(words.valid_until, words.now, town, catalogue),
        "now": until(words.now, words.now, town, catalogue),
        "verify": f"{town.town.verify_phrase} {words.verify_code}".strip(),
        "danger": _danger(incident, catalogue),
    }
    name = f"{section}.text" if words.kind == "warning" else f"{words.kind}.text"
    return catalogue.text(name).format(**parts)


def _danger(incident: IncidentSnapshot, catalogue: Catalogue) -> str:
    name = f"lift.danger.{incident.hazard.value}"
    return catalogue.text(name) if catalogue.has(name) else incident.hazard.value
