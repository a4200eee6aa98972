"""How long ingest keeps what (DESIGN §5.12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from services.ingest.domain.keys import SIGNATURE_AGE_MOST
from services.ingest.outbound.condensing import condense
from services.ingest.outbound.tables import INCIDENT, NONCE, PACK, QUARANTINE, REPORT, RUNTIME, SOURCE
from services.ingest.settings import IngestSettings
from services.runtime.retention import ALWAYS_KEPT, Rule, outbox_rule, refused_rules, rows_of

_BLAME_FORGOTTEN: Final = timedelta(hours=1)

KEPT: Final[Mapping[str, str]] = ALWAYS_KEPT | {
    "inbox": "nothing is written: readings are recognised by identity, incidents by version",
    "series": "one row a sensor: the number that its next reading gets",
    "reading_hour": "what is left of a reading after its period: one row a sensor and hour",
    "api_key": "who could ever post, revoked keys included, is asked for by an auditor",
    "tick": "one row a town",
}


def rules(settings: IngestSettings) -> tuple[Rule, ...]:
    """Return the periods of all other tables; dated by the machine's clock but what the runtime dates."""
    days = {
        "raw": timedelta(days=settings.ingest_raw_days),
        "quarantine": timedelta(days=settings.ingest_quarantine_days),
        "reports": timedelta(days=settings.ingest_reports_days),
    }
    unmuted = rows_of(SOURCE, SOURCE.c.window_at, only=SOURCE.c.muted_at.is_(None))
    return (
        Rule(PACK.name, days["raw"], condense, "wall"),
        outbox_rule(RUNTIME, settings.outbox_kept_hours),
        *refused_rules(RUNTIME, settings.dead_letters_days),
        Rule(QUARANTINE.name, days["quarantine"], rows_of(QUARANTINE, QUARANTINE.c.last_at), "wall"),
        Rule(NONCE.name, 2 * SIGNATURE_AGE_MOST, rows_of(NONCE, NONCE.c.seen_at), "wall"),
        Rule(SOURCE.name, _BLAME_FORGOTTEN, unmuted, "wall"),
        Rule(REPORT.name, days["reports"], rows_of(REPORT, REPORT.c.stored_at), "wall"),
        Rule(INCIDENT.name, days["reports"], rows_of(INCIDENT, INCIDENT.c.stored_at), "wall"),
    )
