"""What must hold whatever happened: no warning lapses, nothing goes out unsigned, towns stay apart. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import combinations, pairwise

from tests.support.oracle.decided import GRACE
from tests.support.oracle.evidence import TO_RESIDENTS, Delivery, Evidence, Json, words_in
from tests.support.oracle.fold import moment
from tests.support.oracle.folder import Town
from tests.support.oracle.report import Report

TO_THE_TOLD = frozenset({"correction", "lift"})
LIFTED = "lifted"
# Of each, no two towns may hold the same one.
OWN_IDS = ("incidents", "incident_id"), ("warnings", "warning_id"), ("messages", "message_id")


def find_violations(report: Report, came: Sequence[Delivery], evidence: Evidence) -> None:
    """Count what breaks a promise about one town's warnings."""
    for sentence in (*_lapsed(evidence), *_unauthorised(came, evidence), *_corrected_to_strangers(came)):
        report.count("violations", sentence)


def find_mixing(evidences: Mapping[str, Evidence], towns: Mapping[str, Town]) -> list[str]:
    """Return what shows one town's data in another's, of all the towns of a run."""
    found = []
    for (one, ours), (other, theirs) in combinations(evidences.items(), 2):
        for part, key in OWN_IDS:
            both = {row[key] for row in getattr(ours, part)} & {row[key] for row in getattr(theirs, part)}
            found += [f"{key} {each} stands in {one} and in {other}" for each in sorted(both)]
    phones = {name: {*town.people.values(), *town.residents.values()} for name, town in towns.items()}
    ids = {name: {row["message_id"] for row in each.messages} for name, each in evidences.items()}
    for entry in next(iter(evidences.values())).ledger:
        if entry["kind"] in {"message", "call"}:
            found += _misplaced(entry, towns, phones, ids)
    return found


def bound_hash(warning: Json) -> str:
    """Return the SHA-256 of what an authorisation binds, each part behind its length in four bytes."""
    texts = sorted(warning["texts"], key=lambda words: (words["zone"], words["language"]))
    parts = [
        str(warning["incident_id"]),
        str(warning["incident_version"]),
        str(warning["audience"]["digest"]),
        *sorted(warning["zones"]),
        *(str(words[name]) for words in texts for name in ("zone", "language", "text")),
    ]
    whole = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return hashlib.sha256(whole).hexdigest()


def _lapsed(evidence: Evidence) -> Iterable[str]:
    """Name the warnings that ended without a renewal or a lift.

    A renewal may come late by what the run's own troubles held things up; at the end, when all is at rest,
    nothing excuses one that never came.
    """
    patience = GRACE + evidence.held_up
    by_warning: dict[str, list[Json]] = defaultdict(list)
    for row in sorted(evidence.warnings, key=lambda row: int(row["version"])):
        by_warning[row["warning_id"]].append(row)
    for warning_id, versions in by_warning.items():
        for before, after in pairwise(versions):
            if moment(after["at"]) > _ends(before) + patience:
                yield f"warning {warning_id} version {before['version']} lapsed before its renewal"
        last = versions[-1]
        if last["state"] != LIFTED and evidence.until and _ends(last) + GRACE < evidence.until:
            yield f"warning {warning_id} version {last['version']} lapsed and nobody renewed or lifted it"


def _unauthorised(came: Iterable[Delivery], evidence: Evidence) -> Iterable[str]:
    """Name the messages to residents whose words no authority signed."""
    signed: dict[str, set[str]] = defaultdict(set)
    for row in evidence.warnings:
        if row.get("authority") and bound_hash(row) == row["content_hash"]:
            signed[row["content_hash"]] |= {words["text"] for words in row["texts"]}
    for one in came:
        if one.purpose not in TO_RESIDENTS:
            continue
        texts = signed.get(str(one.row.get("content_hash")))
        if texts is None:
            yield f"{one.channel} {one.sid} ({one.purpose}): no authority stands behind its hash"
        elif one.channel == "sms" and one.text not in texts:
            yield f"{one.channel} {one.sid} ({one.purpose}): other words than were signed"


def _corrected_to_strangers(came: Iterable[Delivery]) -> Iterable[str]:
    """Name the corrections and lifts that went to a phone which no earlier version had reached."""
    told: dict[tuple[str, str], int] = {}
    for one in came:
        if one.purpose not in TO_RESIDENTS:
            continue
        key, version = (one.phone, str(one.row.get("warning_id"))), int(one.row.get("version") or 0)
        if one.purpose in TO_THE_TOLD and told.get(key, version) >= version:
            yield f"{one.channel} {one.sid} ({one.purpose}) to a phone that was never told"
        told[key] = min(told.get(key, version), version)


def _misplaced(
    entry: Json,
    towns: Mapping[str, Town],
    phones: Mapping[str, set[str]],
    message_ids: Mapping[str, set[str]],
) -> Iterable[str]:
    token, _ = words_in(entry.get("status_callback"))
    if not token:
        return
    name = f"{entry['channel']} {entry['sid']}"
    town = towns.get(token[0])
    if town is None:
        yield f"{name} is of a town that is not here"
        return
    if entry["phone"] not in phones[town.id]:
        yield f"{name} of {town.id} went to a phone that is not of it"
    if entry["sender"] != town.sender:
        yield f"{name} of {town.id} came from a number that is not of it"
    others = [other for other in towns.values() if other.id != town.id]
    if any(other.source in (entry.get("text") or "") for other in others):
        yield f"{name} of {town.id} speaks for another town"
    if any(token[1] in message_ids[other.id] for other in others):
        yield f"{name} of {town.id} is a message of another town"


def _ends(warning: Json) -> datetime:
    return moment(warning["valid_until"])
