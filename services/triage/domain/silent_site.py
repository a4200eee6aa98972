"""A silent site: one open incident until a person closes it; what follows joins it. Pure."""

from __future__ import annotations

from datetime import datetime

from schemas.events.base import Reason
from schemas.events.incidents import Evidence
from schemas.vocabulary import Level, Property, SensorState
from services.triage.domain.changes import SensorHeard, SensorSilent
from services.triage.domain.incident import NO_DATA, News, incident_id_of, news_of
from services.triage.domain.reasons import amount, moment, reason
from services.triage.domain.rulebook import Book, Silence
from services.triage.domain.state import Incident, TownState


def join_or_open(book: Book, town: TownState, rule: Silence, signal: SensorSilent) -> list[News]:
    """Open the site's incident, or let this gap join the open one.

    Under a rule per site nothing happens while another of the site's watched sensors still reports.
    """
    site = book.site_of(signal.sensor_id)
    together = _together(book, rule, signal.sensor_id)
    silent = town.silent.get(rule.id, {})
    if any(sensor not in silent for sensor in together):
        return []
    since = max(silent[sensor] for sensor in together)
    place = site if rule.per_site else f"{site}/{signal.sensor_id}"
    incident = next(
        (one for one in town.incidents.values() if one.kind == NO_DATA and one.place == place), None
    )
    is_new = incident is None
    if incident is None:
        incident = _open(book, town, rule, signal, place=place, since=since)
    incident.sources = sorted({*incident.sources, *together})
    before = incident.level
    incident.level = max(incident.level, rule.level)
    code = "silence.site_opened" if is_new else "silence.site_joined"
    why = (reason(code, site=site, since=moment(book, since)), *_last_word(book, signal))
    return [
        news_of(
            book,
            incident,
            why,
            at=signal.at,
            previous_level=0 if is_new else before,
            is_material=is_new or incident.level > before,
            evidence=(_silent_evidence(book, town, signal),),
        )
    ]


def _silent_evidence(book: Book, town: TownState, signal: SensorSilent) -> Evidence:
    """Return what the silent sensor said last, and the level at which that left it."""
    rules = book.sensors.get(signal.sensor_id)
    standing = [row.level for row in town.conditions.values() if row.sensor_id == signal.sensor_id]
    spoke = signal.value is not None
    return Evidence(
        rule_id=signal.rule_id,
        sensor_id=signal.sensor_id,
        site=book.site_of(signal.sensor_id),
        property=Property(rules.property) if rules else Property.UNKNOWN,
        value=signal.value,
        unit=_unit(book, signal.sensor_id) if spoke else None,
        observed_at=signal.since if spoke else None,
        received_at=signal.received_at if spoke else None,
        level=Level(max(standing, default=0)),
        state=SensorState.NO_DATA,
    )


def _last_word(book: Book, signal: SensorSilent) -> tuple[Reason, ...]:
    """Say what the sensor measured last, if it ever spoke."""
    if signal.value is None:
        return ()
    words = {
        "value": amount(signal.value, _unit(book, signal.sensor_id)),
        "since": moment(book, signal.since),
    }
    return (reason("silence.last", sensor=signal.sensor_id, **words),)


def _unit(book: Book, sensor_id: str) -> str | None:
    rules = book.sensors.get(sensor_id)
    return next((rule.unit for rule in rules.by_id.values()), None) if rules else None


def _together(book: Book, rule: Silence, sensor_id: str) -> list[str]:
    """Return the sensors that must all be silent."""
    if not rule.per_site:
        return [sensor_id]
    site = book.site_of(sensor_id)
    return [sensor for sensor in rule.sensors if book.site_of(sensor) == site]


def _open(
    book: Book, town: TownState, rule: Silence, signal: SensorSilent, *, place: str, since: datetime
) -> Incident:
    incident = Incident(
        incident_id=incident_id_of(town, rule.id, place, since),
        kind=NO_DATA,
        hazard=rule.hazard,
        rule_id=rule.id,
        opened_at=signal.at,
        observed_at=since,
        place=place,
        site=book.site_of(signal.sensor_id),
    )
    town.incidents[incident.incident_id] = incident
    return incident


def site_heard(book: Book, town: TownState, signal: SensorHeard) -> list[News]:
    """Say in the site's open incident that it reports again; a person closes it."""
    news = []
    for incident in town.incidents.values():
        if incident.kind != NO_DATA or signal.sensor_id not in incident.sources:
            continue
        reasons = (
            reason(
                "silence.back",
                sensor=signal.sensor_id,
                value=amount(signal.value, signal.unit),
                at=moment(book, signal.observed_at),
            ),
            reason("silence.site_back", site=incident.site or signal.sensor_id),
        )
        news.append(
            news_of(
                book,
                incident,
                reasons,
                at=signal.at,
                previous_level=incident.level,
                is_material=False,
            )
        )
    return news
