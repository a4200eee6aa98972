"""Was everybody told who had to be, once, and were their answers heard? Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tests.support.oracle import plan
from tests.support.oracle.decided import GRACE
from tests.support.oracle.evidence import TO_RESIDENTS, Delivery, Evidence, Json, replies
from tests.support.oracle.fold import moment
from tests.support.oracle.folder import Town
from tests.support.oracle.plan import DueIncident
from tests.support.oracle.report import Report

# Visibly not delivered is not lost; nor is what a person withdrew or a newer version overtook.
EXCUSED = frozenset({"undelivered", "failed", "expired", "suppressed", "withdrawn"})
# What the duty officer's first message may be: a question of authority doubles as the page.
PAGING = frozenset({"page", "authority"})
TASKS = frozenset({"task", "withdraw"})
TO_THE_TOLD = frozenset({"correction", "lift"})
EVER_IN_FORCE = frozenset({"authorised", "lifted"})


def compare_pages(
    report: Report,
    due: Iterable[DueIncident],
    known: Mapping[str, Json],
    came: Sequence[Delivery],
    evidence: Evidence,
    town: Town,
) -> None:
    by_phone = _by_phone(came)
    for incident in due:
        row = known.get(incident.name)
        if row is None:
            continue
        told_at = row.get("opened_at") or row.get("classified_at")
        at = moment(told_at) if told_at else incident.opened_at
        for page in plan.pages(incident, town, at):
            fitting = [
                one.sid
                for one in by_phone[page.phone, page.channel]
                if one.row.get("incident_id") in {None, row["incident_id"]} and one.purpose in {None, *PAGING}
            ]
            name = f"page by {page.channel} to {page.recipient_id}: {incident.name}"
            report.matched[name] = fitting
            if not fitting and not _is_excused(
                evidence.messages, page.recipient_id, incident_id=row["incident_id"]
            ):
                report.count("lost_messages", name)


def compare_tasks(
    report: Report,
    due: Iterable[DueIncident],
    known: Mapping[str, Json],
    came: Sequence[Delivery],
    evidence: Evidence,
    town: Town,
) -> None:
    """Look for the task of every crew that the protocol names, where triage agrees on the level.

    Not compared where the evidence does not speak of tasks.
    """
    if evidence.tasks is None:
        return
    by_phone = _by_phone(came)
    for incident in due:
        row = known.get(incident.name)
        if row is None or row.get("level") != incident.level:
            continue
        for task in plan.tasks(incident, town):
            fitting = [
                one.sid
                for one in by_phone[task.phone, task.channel]
                if one.row.get("incident_id") == row["incident_id"] and one.purpose in TASKS
            ]
            planned = {
                told["state"]
                for told in evidence.messages
                if told["recipient_id"] == task.recipient_id
                and told["incident_id"] == row["incident_id"]
                and told["purpose"] in TASKS
            }
            if not fitting and not (planned and planned <= EXCUSED):
                report.count("lost_messages", f"task to {task.recipient_id}: {incident.name}")


def compare_warnings(
    report: Report,
    due: Iterable[DueIncident],
    known: Mapping[str, Json],
    came: Sequence[Delivery],
    evidence: Evidence,
    town: Town,
) -> set[str]:
    """Compare every warning that was in force, and every one that a resolution had to release.

    Return the zones that were ever warned.
    """
    by_phone = _by_phone(came)
    in_force = [row for row in evidence.warnings if row["state"] in EVER_IN_FORCE]
    for row in in_force:
        _compare_audience(report, row, by_phone, evidence, town)
    refused = {row["incident_id"] for row in evidence.warnings if row["state"] == "rejected"}
    asked_at = {name: _asked_at(row) for name, row in known.items()}
    until = evidence.until - GRACE if evidence.until else None
    for owed in plan.warnings(due, town, asked_at, until):
        incident_id = known[owed.incident]["incident_id"]
        if incident_id in refused:
            continue
        told = [row for row in in_force if row["incident_id"] == incident_id]
        zones = {zone for row in told for zone in row["zones"]}
        for resident in plan.residents(owed.zones - zones, town):
            report.count("lost_messages", f"no warning was released to {resident}: {owed.incident}")
    return {zone for row in in_force for zone in row["zones"]}


def _compare_audience(
    report: Report,
    warning: Json,
    by_phone: Mapping[tuple[str, str], Sequence[Delivery]],
    evidence: Evidence,
    town: Town,
) -> None:
    texts = {words["text"] for words in warning.get("texts") or ()}
    purpose = warning.get("purpose", "warning")
    name = f"{purpose} {warning['warning_id']} version {warning['version']}"
    for resident, phone in _audience(warning, by_phone, evidence, town).items():
        fitting = [
            one.sid
            for one in by_phone[phone, "sms"]
            if one.text in texts or _is_version(one.row, warning) or (not texts and not one.row)
        ]
        report.matched[f"{name} to {resident}"] = fitting
        if not fitting and not _is_excused(evidence.messages, resident, warning=warning):
            report.count("lost_messages", f"{name} to {resident}")


def compare_replies(report: Report, evidence: Evidence, town: Town) -> None:
    """Look for every answer to this town among those that notify recorded, by the sid of text or call."""
    recorded = Counter(row["sid"] for row in evidence.answers or ())
    elsewhere = _sent_by_others(evidence.ledger, town)
    for answer in replies(evidence.ledger):
        if answer["to_sid"] in elsewhere:
            continue
        sid = answer["to_sid"] if answer["channel"] == "voice" else answer["answer"]
        there = answer["taken"] if evidence.answers is None else recorded[sid] > 0
        recorded[sid] -= 1
        if not there:
            report.count("lost_replies", f"answer {answer['answer']} by {answer['channel']}")


def find_duplicates(report: Report, came: Iterable[Delivery]) -> None:
    copies: dict[tuple[str, ...], list[Delivery]] = defaultdict(list)
    for one in came:
        if one.reached and one.via != "twiml":
            copies[one.copies_of].append(one)
    for same in copies.values():
        if len(same) > 1:
            sentence = f"{len(same)} copies: {', '.join(one.sid for one in same)}"
            report.count("duplicates", sentence, len(same) - 1)


def find_unexpected(
    report: Report,
    came: Iterable[Delivery],
    known: Mapping[str, Json],
    warned: set[str],
    evidence: Evidence,
    town: Town,
) -> None:
    """Count what went to nobody of the town, or about nothing that the readings and people's answers make."""
    zones: dict[str, set[str]] = defaultdict(set)
    for resident, phone in town.residents.items():
        zones[phone].add(town.zone_of[resident])
    staff = set(town.people.values())
    wrote = {row["phone"] for row in evidence.ledger if row["kind"] == "answer"}
    incident_ids = {row["incident_id"] for row in known.values()}
    for one in came:
        about = one.row.get("incident_id")
        if one.phone in wrote and (one.via == "twiml" or one.purpose in {None, "reply"}):
            continue
        if one.phone in staff and one.purpose not in TO_RESIDENTS and (about or known):
            if about is None or about in incident_ids:
                continue
        elif zones[one.phone] & warned and one.purpose in {None, *TO_RESIDENTS}:
            continue
        report.count("unexpected", f"{one.channel} {one.sid} ({one.purpose or 'of unknown purpose'})")


def _audience(
    warning: Json, by_phone: Mapping[tuple[str, str], Sequence[Delivery]], evidence: Evidence, town: Town
) -> dict[str, str]:
    """Return who is to get it: the zones' residents; of a correction or a lift, those told before."""
    if warning.get("purpose", "warning") not in TO_THE_TOLD:
        return plan.residents(warning["zones"], town)
    earlier = [
        row
        for row in evidence.warnings
        if row["warning_id"] == warning["warning_id"] and int(row["version"]) < int(warning["version"])
    ]
    texts = {words["text"] for row in earlier for words in row.get("texts") or ()}
    return {
        resident: phone
        for resident, phone in town.residents.items()
        if any(
            one.text in texts or any(_is_version(one.row, row) for row in earlier)
            for one in by_phone[phone, "sms"]
        )
    }


def _sent_by_others(ledger: Iterable[Json], town: Town) -> set[str]:
    """Return the sids of texts and calls from another town's number."""
    return {
        row["sid"]
        for row in ledger
        if row["kind"] in {"message", "call"} and row.get("sender") not in {None, town.sender}
    }


def _is_version(row: Json, warning: Json) -> bool:
    return bool(
        row.get("warning_id") == warning["warning_id"]
        and row.get("version") in {None, warning["version"]}
        and row.get("purpose") in TO_RESIDENTS
    )


def _is_excused(
    rows: Iterable[Json],
    recipient_id: str,
    *,
    incident_id: str | None = None,
    warning: Json | None = None,
) -> bool:
    """Say whether notify itself shows this as not delivered, by every message of that kind to that person."""
    states = {
        row["state"]
        for row in rows
        if row["recipient_id"] == recipient_id
        and (
            _is_version(row, warning)
            if warning is not None
            else row["incident_id"] == incident_id and row["purpose"] in PAGING
        )
    }
    return bool(states) and states <= EXCUSED


def _asked_at(incident: Json) -> datetime | None:
    told = incident.get("classified_at")
    return moment(told) if told else None


def _by_phone(came: Iterable[Delivery]) -> dict[tuple[str, str], list[Delivery]]:
    rows: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for one in came:
        rows[one.phone, one.channel].append(one)
    return rows
