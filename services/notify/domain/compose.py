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
from schemas.vocabulary import Channel, IncidentKind
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.render import finished, river_of, until

_LONGEST = 1500


def page(
    town: Municipality,
    incident: IncidentSnapshot,
    code: str,
    catalogue: Catalogue,
    problem: Sequence[Reason] = (),
) -> str:
    """Return the page of an incident; ``problem`` says why the warning could not even be asked for."""
    parts = {
        "town": town.town.name,
        "label": town.town.label(incident.level),
        "cause": cause(incident, town),
        "place": place(incident, town),
        "site": incident.site or "",
        "last": _last_reading(incident, town),
        "problem": " ".join(reason.text for reason in problem),
        "code": code,
    }
    kind = "lint" if problem else "no_data" if incident.kind is IncidentKind.NO_DATA else "level"
    return catalogue.text(f"page.{kind}").format(**parts)


def question(
    town: Municipality,
    incident: IncidentSnapshot,
    asked: WarningSnapshot,
    *,
    code: str,
    release: SafeRelease | None,
    catalogue: Catalogue,
) -> str:
    """Return the question of authority, with the words that a yes sends."""
    otherwise = (
        catalogue.text("authority.release").format(seconds=release.after_s, resolution=release.resolution)
        if release
        else catalogue.text("authority.no_release")
    )
    inhabitants = asked.audience.inhabitants
    return catalogue.text("authority.text").format(
        town=town.town.name,
        label=town.town.label(asked.level),
        cause=cause(incident, town),
        place=place(incident, town),
        phones=asked.audience.phones,
        inhabitants=inhabitants if inhabitants is not None else "?",
        words=" / ".join(dict.fromkeys(words.text for words in asked.texts))[:900],
        code=code,
        otherwise=otherwise,
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


def for_channel(
    text: str, channel: Channel, *, asks: bool, exercise_id: str | None, catalogue: Catalogue
) -> str:
    """Return the text as this channel carries it: spoken with what to press, or in letters of one segment."""
    if channel is Channel.VOICE:
        name = "authority.voice" if asks else "page.voice"
        text = catalogue.text(name).format(text=text)
    return finished(text, exercise_id, catalogue)[:_LONGEST]


def cause(incident: IncidentSnapshot, town: Municipality) -> str:
    """Return what was measured, highest condition first: ``Rio Claro 3.11 m``."""
    rows = sorted(incident.evidence, key=lambda row: (-int(row.level), row.sensor_id))
    if not rows:
        return incident.hazard.value
    return f"{river_of(incident, town) or rows[0].site} {_value(rows[0])}".strip()


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
