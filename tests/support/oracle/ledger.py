"""What was lost, what came twice, what nobody can explain: one comparison of a whole run. Pure."""

from __future__ import annotations

from tests.support.oracle import plan
from tests.support.oracle.decided import compare_changes, compare_incidents, compare_readings
from tests.support.oracle.evidence import Evidence, deliveries
from tests.support.oracle.fold import digests, readings, silences, verdicts
from tests.support.oracle.folder import Town
from tests.support.oracle.kept import find_violations
from tests.support.oracle.report import Report
from tests.support.oracle.told import (
    compare_pages,
    compare_replies,
    compare_tasks,
    compare_warnings,
    find_duplicates,
    find_unexpected,
)


def compare(evidence: Evidence, town: Town) -> Report:
    """Derive what this run owed and compare it with what the services and the carrier show."""
    report = Report()
    log = readings(evidence.accepted)
    found = verdicts(log, town.level_rules)
    gaps = [
        gap
        for rule in town.silence_rules
        for gap in silences(log, rule, start=evidence.started_at, until=evidence.until)
    ]
    due = [*plan.incidents(found, town), *plan.silent_sites(gaps, town)]
    came = deliveries(evidence, town.id)
    report.incidents, report.messages = len(evidence.incidents), len(came)
    compare_readings(report, digests(log), evidence.sensors)
    compare_changes(report, found, evidence.changes)
    known = compare_incidents(report, due, evidence.incidents, evidence.until)
    compare_pages(report, due, known, came, evidence, town)
    compare_tasks(report, due, known, came, evidence, town)
    warned = compare_warnings(report, due, known, came, evidence, town)
    compare_replies(report, evidence, town)
    find_duplicates(report, came)
    find_unexpected(report, came, known, warned, evidence, town)
    find_violations(report, came, evidence)
    return report
