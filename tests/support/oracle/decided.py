"""Were the readings counted and the right things decided? Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from tests.support.oracle import plan
from tests.support.oracle.evidence import Json
from tests.support.oracle.fold import Verdict, moment
from tests.support.oracle.plan import DueIncident
from tests.support.oracle.report import Report

GRACE = timedelta(seconds=60)


def compare_readings(
    report: Report, expected: Mapping[str, Mapping[str, int]], held: Mapping[str, Json]
) -> None:
    for sensor_id, row in expected.items():
        there = held.get(sensor_id, {"count": 0, "digest": 0})
        missing = row["count"] - int(there["count"])
        if missing > 0:
            report.count("lost_readings", f"{sensor_id}: {missing} of {row['count']} readings", missing)
        elif missing < 0:
            report.count("unexpected", f"{sensor_id}: {-missing} readings that nobody sent", -missing)
        elif int(there["digest"]) != row["digest"]:
            report.count("lost_readings", f"{sensor_id}: as many readings, but not the same")
    for sensor_id in held.keys() - expected.keys():
        if int(held[sensor_id]["count"]):
            report.count("unexpected", f"{sensor_id}: readings of a sensor that sent none")


def compare_changes(report: Report, expected: Iterable[Verdict], changes: Sequence[Json] | None) -> None:
    """Look for each verdict among triage's changes; of a shuffled series only the levels are compared."""
    if changes is None:
        return
    exact: set[tuple[str, str, datetime, int]] = set()
    reached: dict[tuple[str, str], int] = defaultdict(int)
    for row in changes:
        if row.get("kind", "condition") != "condition" or row.get("observed_at") is None:
            continue
        after = int(row["to"])
        exact.add((row["rule"], row["sensor_id"], moment(row["observed_at"]), after))
        key = (row["rule"], row["sensor_id"])
        reached[key] = max(reached[key], after)
    for verdict in expected:
        name = (verdict.rule_id, verdict.sensor_id)
        there = (
            (*name, verdict.observed_at, verdict.after) in exact
            if verdict.in_order
            else verdict.after < verdict.before or reached[name] >= verdict.after
        )
        if not there:
            moved = f"{verdict.before} to {verdict.after} at {verdict.observed_at.isoformat()}"
            report.count("lost_verdicts", f"{verdict.rule_id} {verdict.sensor_id}: {moved}")


def compare_incidents(
    report: Report, due: Sequence[DueIncident], held: Sequence[Json], until: datetime | None
) -> dict[str, Json]:
    """Return triage's row of each due incident, by its name; count what is missing on either side."""
    left = list(held)
    known: dict[str, Json] = {}
    for incident in due:
        row = next((row for row in left if _is(incident, row)), None)
        if row is None:
            if incident.must_exist(until, GRACE):
                report.count("lost_verdicts", f"no incident: {incident.name}")
            continue
        left.remove(row)
        known[incident.name] = row
        if int(row["level"]) < incident.level:
            report.count("lost_verdicts", f"level {row['level']}, not {incident.level}: {incident.name}")
    for row in left:
        where = row.get("site") or ",".join(row.get("zones") or ())
        report.count("unexpected", f"an incident that the readings do not make: {row['kind']} {where}")
    return known


def _is(incident: DueIncident, row: Json) -> bool:
    if row["kind"] != incident.kind or row["hazard"] != incident.hazard:
        return False
    if incident.kind == plan.NO_DATA:
        return bool(row.get("site") == incident.place)
    return not set(row.get("zones") or ()).isdisjoint(incident.zone_levels)
