"""The words for people on duty: pages, questions of authority, tasks. Pure.

Each says what is asked, with which code, and what happens if nobody answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from schemas.events.base import Reason
from schemas.events.incidents import Evidence, IncidentSnapshot
from schemas.events.warnings import WarningSnapshot
from schemas.municipality.folder import Municipality
from schemas.municipality.town import SafeRelease
from schemas.vocabulary import Channel, EvidenceSource, IncidentKind, Purpose
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.render import finished, river_of, stamped, until
from services.notify.domain.segments import segments_of

_LONGEST = 1500
LINKED_SEGMENTS = 2


def page(
    town: Municipality,
    incident: IncidentSnapshot,
    code: str,
    catalogue: Catalogue,
    problem: Sequence[Reason] = (),
    *,
    channel: Channel = Channel.SMS,
) -> str:
    """Return the page of an incident; ``problem`` says why the warning could not even be asked for.

    A text says what to answer with which code; a call says what to press, see ``for_channel``.
    """
    parts = {
        "town": town.town.name,
        "label": town.town.label(incident.level),
        "cause": cause(incident, town),
        "place": place(incident, town),
        "site": incident.site or "",
        "last": _last_reading(incident, town),
        "problem": " ".join(reason.text for reason in problem),
    }
    kind = "lint" if problem else "no_data" if incident.kind is IncidentKind.NO_DATA else "level"
    text = catalogue.text(f"page.{kind}").format(**parts)
    return text if channel is Channel.VOICE else catalogue.text("page.sms").format(text=text, code=code)


def question(
    town: Municipality,
    incident: IncidentSnapshot,
    asked: WarningSnapshot,
    *,
    code: str,
    release: SafeRelease | None,
    waited_s: float,
    catalogue: Catalogue,
    channel: Channel = Channel.SMS,
) -> str:
    """Return the question of authority, with the words that a yes sends.

    ``waited_s``: for how long it has been asked; who is asked later reads what is true by then.
    """
    inhabitants = asked.audience.inhabitants
    name = "authority.spoken" if channel is Channel.VOICE else "authority.text"
    text = catalogue.text(name).format(
        town=town.town.name,
        label=town.town.label(asked.level),
        cause=cause(incident, town),
        place=place(incident, town),
        phones=asked.audience.phones,
        inhabitants=inhabitants if inhabitants is not None else "?",
        words=" / ".join(dict.fromkeys(words.text for words in asked.texts))[:900],
    )
    if channel is not Channel.VOICE:
        text = catalogue.text("authority.sms").format(text=text, code=code)
    return f"{text} {_otherwise(release, waited_s, catalogue)}"


def _otherwise(release: SafeRelease | None, waited_s: float, catalogue: Catalogue) -> str:
    """Return what happens if nobody answers."""
    if release is None:
        return catalogue.text("authority.no_release")
    confirmed = "release_later" if waited_s >= release.after_s else "release_confirmed"
    return catalogue.text(f"authority.{confirmed if release.min_sources > 1 else 'release'}").format(
        seconds=release.after_s, sources=release.min_sources, resolution=release.resolution
    )


def renewal_question(
    town: Municipality,
    incident: IncidentSnapshot,
    ends_at: datetime,
    later: datetime,
    now: datetime,
    *,
    code: str,
    catalogue: Catalogue,
) -> str:
    """Return the question whether a warning goes on."""
    return catalogue.text("authority.renewal").format(
        town=town.town.name,
        place=place(incident, town),
        until=until(ends_at, now, town, catalogue),
        later=until(later, now, town, catalogue),
        code=code,
    )


def with_reasons(text: str, reasons: Sequence[Reason], catalogue: Catalogue) -> str:
    """Return the text with why this person is asked now."""
    for reason in reasons:
        text = catalogue.text("authority.why").format(text=text, reason=reason.text)
    return text


def has_room(said: str, linked: str, purpose: Purpose) -> bool:
    """Say whether a text may carry its link: a page may grow to two segments, nothing else may grow."""
    most = LINKED_SEGMENTS if purpose is Purpose.PAGE else segments_of(said)
    return segments_of(linked) <= most


def for_channel(
    text: str,
    channel: Channel,
    *,
    code: str,
    asks: bool,
    exercise_id: str | None,
    catalogue: Catalogue,
) -> str:
    """Return the text as this channel carries it: spoken with what to press, or in letters of one segment.

    A voice keeps its accents and says the code digit by digit: whoever got no text can authorise too.
    """
    if channel is not Channel.VOICE:
        return finished(text, exercise_id, catalogue)[:_LONGEST]
    name = "authority.voice" if asks else "page.voice"
    said = catalogue.text(name).format(text=text, code=", ".join(code))
    return stamped(" ".join(said.split()), exercise_id, catalogue)[:_LONGEST]


def cause(incident: IncidentSnapshot, town: Municipality) -> str:
    """Return what people in danger report, and what was measured, highest condition first.

    ``reporte: niño atrapado, Rio Claro 3.11 m``; the last thing reported comes first.
    """
    measured = [row for row in incident.evidence if row.source is not EvidenceSource.REPORT]
    rows = sorted(measured, key=lambda row: (-int(row.level), row.sensor_id))
    parts = [_reported(incident, town)]
    parts += [f"{river_of(incident, town) or rows[0].site} {_value(rows[0])}".strip()] if rows else []
    return ", ".join(part for part in parts if part) or incident.hazard.value


def _reported(incident: IncidentSnapshot, town: Municipality) -> str:
    """Return the danger reported last; with its zone where the incident is not just there."""
    rows = [row for row in incident.evidence if row.source is EvidenceSource.REPORT and row.level > 0]
    if not rows:
        return ""
    said = f"reporte: {rows[-1].what}"
    zone = rows[-1].zone
    if zone is None or incident.zones == (zone,):
        return said
    return f"{said} en {town.zone_of[zone].name if zone in town.zone_of else zone}"


def place(incident: IncidentSnapshot, town: Municipality) -> str:
    names = [town.zone_of[zone].name if zone in town.zone_of else zone for zone in incident.zones]
    return ", ".join(names) or incident.site or town.town.name


def _value(row: Evidence) -> str:
    return "" if row.value is None else f"{row.value:g} {row.unit or ''}".strip()


def _last_reading(incident: IncidentSnapshot, town: Municipality) -> str:
    row = next((row for row in incident.evidence if row.observed_at is not None), None)
    if row is None or row.observed_at is None:
        return "sin dato"
    return f"{_value(row)} a las {town.local(row.observed_at):%H:%M}".strip()
