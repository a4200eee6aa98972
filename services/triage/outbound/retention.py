"""How long triage keeps what (DESIGN §5.12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from services.runtime.retention import ALWAYS_KEPT, Rule, outbox_rule, refused_rules, rows_of
from services.triage.settings import TriageSettings
from services.triage.tables import change, input_log, runtime

KEPT: Final[Mapping[str, str]] = ALWAYS_KEPT | {
    "inbox": "its topic, reports, is kept without limit: who forgot a mark would judge an old report again",
    "sensor": "one row a sensor",
    "town": "one row a town",
    "incident": "incidents are kept by law",
    "incident_version": "incidents are kept by law, every version with its reasons",
    "decision": "decisions are kept by law",
    "audit": "the audit is kept by law",
}


def rules(settings: TriageSettings) -> tuple[Rule, ...]:
    """Return the periods of all other tables."""
    return (
        outbox_rule(runtime, settings.outbox_kept_hours),
        *refused_rules(runtime, settings.dead_letters_days),
        Rule(change.name, timedelta(days=settings.changes_kept_days), rows_of(change, change.c.at)),
        Rule(input_log.name, timedelta(days=settings.inputs_kept_days), rows_of(input_log, input_log.c.at)),
    )
