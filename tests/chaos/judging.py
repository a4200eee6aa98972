"""What a played fault broke: the oracle's word, both towns together, and what was written down of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.chaos.privacy import Personal, blind_spots, places
from tests.support.oracle import Evidence, Report, Town, compare, find_mixing, plant_a_loss

if TYPE_CHECKING:
    from tests.chaos.campaign import Order, Outcome, Trial

Json = dict[str, Any]

COUNTS = (
    *("lost", "lost_readings", "lost_verdicts", "lost_messages", "lost_replies"),
    *("duplicates", "unexpected", "violations"),
)
AFTER_A_WARNING = ("renewal", "correction", "lift")
SAID_MOST = 10


@dataclass(frozen=True, slots=True)
class Run:
    """What a played fault left behind.

    Attributes:
        evidences: By town, the one under trial first, like ``towns``.
        written: Logs and metrics, by their place.
        surname: What everybody of the directories is called, and nothing else.
    """

    evidences: Mapping[str, Evidence]
    towns: Mapping[str, Town]
    outcome: Outcome
    written: Mapping[str, str]
    surname: str


def judge(order: Order, trial: Trial, run: Run) -> tuple[Json, list[str]]:
    """Return the item of the chaos document, and what a person should read about it."""
    (town_id, evidence), (_, beside) = run.evidences.items()
    reports = {name: compare(each, run.towns[name]) for name, each in run.evidences.items()}
    planted = plant_a_loss(evidence, run.towns[town_id], order.seed)
    is_found = planted.is_found(reports[town_id], run.towns[town_id])
    purposes = Counter(row.get("purpose") for row in beside.warnings)
    mixing, shown = find_mixing(run.evidences, run.towns), _shown(run)
    broken = [
        *run.outcome.broken,
        *trial.look(evidence),
        *(f"towns mix: {sentence}" for sentence in mixing[:SAID_MOST]),
        *(f"something personal stands in {place}" for place in shown[:SAID_MOST]),
        *(f"{what} in a log would not have been seen" for what in _unseen(run)),
        *([] if is_found else [f"the planted loss was not found: {planted.what}"]),
        *_too_little(trial, reports[town_id], run.outcome),
    ]
    if trial.with_decisions:
        broken += [f"no {purpose} went out" for purpose in AFTER_A_WARNING if not purposes[purpose]]
    counts = {name: sum(getattr(each, name) for each in reports.values()) for name in COUNTS}
    messages = sum(each.messages for each in reports.values())
    duplicate_pct = round(100 * counts["duplicates"] / max(1, messages), 3)
    item = {
        "id": trial.id,
        "database": order.database,
        "load": sum(len(each.accepted) for each in run.evidences.values()),
        "fired": run.outcome.fired,
        "kills": run.outcome.kills,
        "incidents": sum(each.incidents for each in reports.values()),
        "messages": messages,
        **counts,
        "duplicate_pct": duplicate_pct,
        "recovered_s": round(max(run.outcome.recovered_s, default=0.0), 1),
        "planted_found": is_found,
        **{f"{purpose}s": purposes[purpose] for purpose in AFTER_A_WARNING},
        "mixed": len(mixing),
        "personal": len(shown),
        "log_lines": sum(text.count("\n") for text in run.written.values()),
        **run.outcome.facts,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken
        and counts["lost"] == counts["unexpected"] == counts["violations"] == 0
        and duplicate_pct <= trial.duplicate_pct_most,
    }
    return item, [*_said(reports), *broken]


def _too_little(trial: Trial, report: Report, outcome: Outcome) -> Iterable[str]:
    if report.incidents < trial.least_incidents or report.messages < trial.least_messages:
        yield "the run was too small to mean anything"
    if not outcome.fired:
        yield "the fault never took effect"
    recovered_s = max(outcome.recovered_s, default=0.0)
    if recovered_s > trial.recovered_s_most:
        yield f"recovery took {recovered_s:.1f} s, {trial.recovered_s_most:.0f} s at most are allowed"


def _said(reports: Mapping[str, Report]) -> Iterable[str]:
    for name, report in reports.items():
        for what, sentences in report.said.items():
            for sentence in sentences[:SAID_MOST]:
                yield f"{name}: {what}: {sentence}"


def _shown(run: Run) -> list[str]:
    """Return where something personal was written down."""
    return places(run.written, Personal.of(_phones(run), [run.surname], _texts(run)))


def _unseen(run: Run) -> list[str]:
    """Return what of a person could have been written down without our seeing it."""
    phones, texts = _phones(run), _texts(run)
    personal = Personal.of(phones, [run.surname], texts)
    return blind_spots(personal, phones[-1], f"Ana {run.surname}", max(texts, key=len, default=""))


def _phones(run: Run) -> list[str]:
    towns = run.towns.values()
    return [phone for town in towns for phone in (*town.people.values(), *town.residents.values())]


def _texts(run: Run) -> list[str]:
    ledger = next(iter(run.evidences.values())).ledger
    return [row["text"] for row in ledger if row["kind"] in {"message", "call"} and row.get("text")]
