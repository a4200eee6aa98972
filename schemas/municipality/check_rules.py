"""What a rulebook can say that makes no sense, alone or against the town's sensors and zones.

What concerns one kind of rule alone stands with that kind, in ``rules/``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from schemas.municipality.datum import Holding, holding
from schemas.municipality.document import Placed
from schemas.municipality.draft import Draft
from schemas.municipality.errors import FolderError
from schemas.municipality.ground import Ground, listed
from schemas.municipality.rulebook import Rule
from schemas.vocabulary import Hazard


def ground_of(draft: Draft) -> Ground:
    """Return what rules are held against, as far as it could be read."""
    judged: defaultdict[Hazard, set[str]] = defaultdict(set)
    for rule in draft.rules:
        judged[rule.value.hazard] |= {each.sensor for each in rule.value.judges()}
    return Ground(
        sensors={placed.value.sensor_id: placed.value for placed in draft.sensors},
        zones={placed.value.properties.id for placed in draft.zones},
        protocols={(placed.value.hazard, placed.value.kind): placed.value for placed in draft.protocols},
        judged={hazard: tuple(sorted(sensors)) for hazard, sensors in judged.items()},
        is_whole=draft.unread_rules == 0,
    )


def check_rules(draft: Draft, ground: Ground) -> Iterator[FolderError]:
    signers = {placed.value.id for placed in draft.operators}
    signers |= {placed.value.person_id for placed in draft.directory}
    for rule in draft.rules:
        row = rule.value
        notes = [*row.faults(ground)]
        notes += listed("signed_by", row.signed_by, signers, "person of operators.yaml or directory.csv")
        yield from (rule.fault(note.where, note.reason) for note in notes)
        if row.valid_to is not None and row.valid_to <= row.valid_from:
            yield rule.fault(("valid_to",), "must be after valid_from")
        if draft.protocols and (row.hazard, row.incident_kind) not in ground.protocols:
            reason = (
                f"{row.hazard.value} has no protocol of kind {row.incident_kind.value} in protocols.yaml:"
                " nobody would be told"
            )
            yield rule.fault(("hazard",), reason)
        yield from _zeros(rule, draft, ground, warnings=False)
    for earlier, later, held in _neighbours(draft, ground):
        if held.until is None or held.until > later.value.valid_from:
            line = earlier.document.line(earlier.loc)
            reason = f"rule {later.value.id} is in force twice: the row of line {line} still holds then"
            yield later.fault(("valid_from",), reason)


def remark_rules(draft: Draft, ground: Ground) -> Iterator[FolderError]:
    """Find what a town may have meant, and should look at; only of a rulebook without faults."""
    for rule in draft.rules:
        yield from (rule.warning(note.where, note.reason) for note in rule.value.remarks(ground))
        yield from _zeros(rule, draft, ground, warnings=True)
        yield from _untold(rule, ground)
    for _, later, held in _neighbours(draft, ground):
        since = holding(later.value, ground.sensors).since
        if held.until is not None and held.until < since:
            reason = f"rule {later.value.id} does not hold from {said(draft, held.until)} until then: a gap"
            yield later.warning(("valid_from",), reason)


def said(draft: Draft, at: datetime) -> str:
    """Write a moment as the town's files do, by its own clocks."""
    zone = None if draft.town is None else ZoneInfo(draft.town.value.time_zone)
    return at.astimezone(zone).isoformat()


def _zeros(rule: Placed[Rule], draft: Draft, ground: Ground, *, warnings: bool) -> Iterator[FolderError]:
    """Hold the zero that a row counts from against the one that its sensor measures from, and since when."""
    row = rule.value
    for sensor_id, datum, where in row.judges():
        sensor = ground.sensors.get(sensor_id)
        if sensor is None:
            continue
        since = sensor.datum_since
        when = "" if since is None else said(draft, since)
        if datum != sensor.datum:
            expected = f"{datum!r} is not the datum of sensor {sensor_id}: expected {sensor.datum!r}"
            if since is None and not warnings:
                hint = "if the gauge got another zero, datum_since of sensors.csv says since when"
                yield rule.fault(where, f"{expected}; {hint}")
            elif since is not None and row.valid_from >= since and not warnings:
                yield rule.fault(where, f"{expected}, its zero since {when}")
            elif since is not None and (row.valid_to is None or row.valid_to > since) and warnings:
                reason = (
                    f"the row is inactive since {when}: sensor {sensor_id} measures from {sensor.datum!r}"
                    " since then. To judge it again write a row with that datum and have it signed"
                )
                yield rule.warning(where, reason)
        elif since is not None and row.valid_from < since:
            if not warnings and row.valid_to is not None and row.valid_to <= since:
                reason = f"never holds: sensor {sensor_id} measures from {datum!r} only since {when}"
                yield rule.fault(where, reason)
            elif warnings:
                reason = (
                    f"the row holds only from {when} on, when sensor {sensor_id} began to measure from"
                    f" {datum!r}"
                )
                yield rule.warning(("valid_from",), reason)


def _untold(rule: Placed[Rule], ground: Ground) -> Iterator[FolderError]:
    row = rule.value
    protocol = ground.protocols.get((row.hazard, row.incident_kind))
    untold = [level for level in row.reached() if protocol is not None and protocol.at(level) is None]
    if untold:
        levels = ", ".join(str(int(level)) for level in untold)
        reason = f"level {levels} of this rule is below every plan in protocols.yaml: nobody would be told"
        yield rule.warning(("hazard",), reason)


def _neighbours(draft: Draft, ground: Ground) -> Iterator[tuple[Placed[Rule], Placed[Rule], Holding]]:
    """Return each two rows of one id that follow each other, and between which dates the first holds."""
    by_id: defaultdict[str, list[Placed[Rule]]] = defaultdict(list)
    for rule in draft.rules:
        by_id[rule.value.id].append(rule)
    for same in by_id.values():
        for earlier, later in pairwise(_by_date(same)):
            yield earlier, later, holding(earlier.value, ground.sensors)


def _by_date(rules: Sequence[Placed[Rule]]) -> list[Placed[Rule]]:
    return sorted(rules, key=lambda rule: rule.value.valid_from)
