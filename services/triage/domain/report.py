"""Judge what people report: does it alert, where does it belong, and why not. Pure.

A report alone raises to level 2: people on duty are called and decide. What residents are told, and what
brigades call out, begins above it, and there a person or a gauge must stand behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.events.base import Reason
from schemas.vocabulary import Hazard, Level, ReportVerdict
from services.triage.domain.categories import Category, category_of
from services.triage.domain.changes import Change
from services.triage.domain.danger import Heard, listen
from services.triage.domain.incident import HAZARD, incident_id_of, news_of, publish, raise_to
from services.triage.domain.inputs import Report
from services.triage.domain.reasons import label, moment, reason, zones
from services.triage.domain.rulebook import Book
from services.triage.domain.state import Incident, Said, TownState

MOST_ALONE: Final = int(Level.PREPARE)
SHOWN_COUNTS: Final = frozenset({1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000})
"""A burst of the same words makes no burst of versions: the count is published at these only."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a report came to. ``changes`` hold the verdict, and the incident's new version if it has one."""

    verdict: ReportVerdict
    reasons: tuple[Reason, ...]
    zone: str | None = None
    incident_id: str | None = None
    danger: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """A report, understood. ``hazard`` empty: whatever endangers the zone."""

    report: Report
    zone: str | None
    code: str
    what: str
    hazard: str
    is_danger: bool


def judge(book: Book, town: TownState, report: Report) -> Judged:
    """Take up a report; the town's state is changed in place."""
    if report.withheld:
        return _judged(book, report, ReportVerdict.REFERRED, (reason("report.referred"),))
    category, heard = category_of(report.category), listen(report.text)
    case = _understood(book, report, category, heard)
    incident = _whereto(town, case)
    if case.is_danger and incident is None:
        return _open(book, town, case)
    if incident is not None and (case.is_danger or case.hazard):
        return _join(book, town, incident, case)
    return _judged(
        book, report, ReportVerdict.NOTED, _why_not(book, report, case, category, heard), case=case
    )


def _understood(book: Book, report: Report, category: Category, heard: Heard) -> _Case:
    zone = book.places.zone_of(report.zone, report.lat, report.lon, report.address, report.text)
    if heard.dangers:
        danger = heard.dangers[0]
        return _Case(report, zone, danger.code, danger.what, _hazard(heard, category), True)
    # A category alone alerts; words that deny the danger are believed more than the box that was ticked.
    is_danger = category.is_emergency and not heard.denied
    code = category.code.lower()
    return _Case(report, zone, code, category.name, category.hazard, is_danger)


def _hazard(heard: Heard, category: Category) -> str:
    named = next((danger.hazard for danger in heard.dangers if danger.hazard), "")
    water = Hazard.FLOOD.value if heard.speaks_of_water else ""
    return named or category.hazard or water


def _whereto(town: TownState, case: _Case) -> Incident | None:
    """Return the open incident of the same hazard and zone: the highest first, then the oldest.

    People in danger belong to whatever endangers their zone.
    """
    there = [
        incident
        for incident in town.incidents.values()
        if incident.kind == HAZARD
        and (not case.hazard or incident.hazard == case.hazard)
        and (case.zone in incident.zone_levels if case.zone else not incident.zone_levels)
    ]
    return min(there, key=lambda one: (-one.level, one.opened_at, one.incident_id), default=None)


def _open(book: Book, town: TownState, case: _Case) -> Judged:
    report, rule_id = case.report, f"report.{case.code}"
    incident = Incident(
        incident_id=incident_id_of(town, rule_id, case.zone or "", report.reported_at),
        kind=HAZARD,
        hazard=case.hazard or Hazard.RESCUE.value,
        rule_id=rule_id,
        opened_at=report.received_at,
        observed_at=report.reported_at,
        received_at=report.received_at,
        place=case.zone or "",
        reports=[_row(case)],
    )
    town.incidents[incident.incident_id] = incident
    _raise(incident, case)
    why = reason("report.opened", **_words(book, case, incident))
    return _publish(book, town, incident, case, ReportVerdict.OPENED, (_danger(book, case), why), before=0)


def _join(book: Book, town: TownState, incident: Incident, case: _Case) -> Judged:
    row = next((one for one in incident.reports if _is_same(one, case)), None)
    before = incident.level
    if row is None:
        incident.reports.append(_row(case))
        if case.is_danger:
            _raise(incident, case)
        why = _why_joined(book, case, incident, before)
        reasons = (_danger(book, case), why) if case.is_danger else (why,)
        return _publish(book, town, incident, case, ReportVerdict.JOINED, reasons, before=before)
    row.count += 1
    row.last_at = max(row.last_at, case.report.reported_at)
    reasons = (reason("report.again", count=row.count, **_words(book, case, incident)),)
    if row.count in SHOWN_COUNTS:
        return _publish(
            book, town, incident, case, ReportVerdict.JOINED, reasons, before=before, is_news=False
        )
    return _judged(book, case.report, ReportVerdict.JOINED, reasons, case=case, incident=incident)


def _is_same(row: Said, case: _Case) -> bool:
    return (row.zone, row.code, row.level > 0) == (case.zone, case.code, case.is_danger)


def _raise(incident: Incident, case: _Case) -> None:
    raise_to(incident, [case.zone] if case.zone else [], MOST_ALONE)


def _row(case: _Case) -> Said:
    report = case.report
    return Said(
        zone=case.zone,
        code=case.code,
        what=case.what,
        level=MOST_ALONE if case.is_danger else 0,
        first_at=report.reported_at,
        last_at=report.reported_at,
        received_at=report.received_at,
    )


def _danger(book: Book, case: _Case) -> Reason:
    at = moment(book, case.report.reported_at)
    return reason("report.danger", what=case.what, zone=_place(book, case.zone), at=at)


def _why_joined(book: Book, case: _Case, incident: Incident, before: int) -> Reason:
    words = _words(book, case, incident)
    if incident.level > before:
        return reason("report.raised", before=before, **words)
    return reason("report.joined", **words)


def _why_not(book: Book, report: Report, case: _Case, category: Category, heard: Heard) -> tuple[Reason, ...]:
    words = {"what": case.what, "zone": _place(book, case.zone)}
    reasons = [] if category.is_known else [reason("report.other_category", category=report.category)]
    if heard.denied:
        return (*reasons, reason("report.denied", danger=heard.denied[0].what, **words))
    return (*reasons, reason("report.noted", **words))


def _words(book: Book, case: _Case, incident: Incident) -> dict[str, object]:
    return {
        "what": case.what,
        "zone": _place(book, case.zone),
        "level": incident.level,
        "label": label(book, incident.level),
    }


def _place(book: Book, zone: str | None) -> str:
    return zones(book, [zone]) if zone else "lugar sin zona"


def _publish(
    book: Book,
    town: TownState,
    incident: Incident,
    case: _Case,
    verdict: ReportVerdict,
    reasons: tuple[Reason, ...],
    *,
    before: int,
    is_news: bool = True,
) -> Judged:
    """Give the incident a version that says so; a decision about the one before is about something else."""
    news = news_of(
        book,
        incident,
        reasons,
        at=case.report.at,
        previous_level=before,
        is_material=is_news and case.is_danger,
    )
    (version,) = publish(book, town, [news])
    return _judged(book, case.report, verdict, reasons, case=case, incident=incident, version=version)


def _judged(
    book: Book,
    report: Report,
    verdict: ReportVerdict,
    reasons: tuple[Reason, ...],
    *,
    case: _Case | None = None,
    incident: Incident | None = None,
    version: Change | None = None,
) -> Judged:
    zone = case.zone if case else None
    said = Change(
        kind="report",
        at=report.at,
        observed_at=report.reported_at,
        reasons=reasons,
        zones=(zone,) if zone else (),
        before=version.before if version else incident.level if incident else None,
        after=incident.level if incident else None,
        rulebook_version=book.version,
        incident_id=incident.incident_id if incident else None,
    )
    return Judged(
        verdict,
        reasons,
        zone=zone,
        incident_id=incident.incident_id if incident else None,
        danger=case.code if case and case.is_danger else None,
        changes=(said, version) if version else (said,),
    )
