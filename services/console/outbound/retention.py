"""How long the console keeps what (DESIGN §5.12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from services.console.settings import ConsoleSettings
from services.console.tables import READ_MODEL, runtime
from services.runtime.retention import ALWAYS_KEPT, Rule, outbox_rule, refused_rules, rows_of

_MARKS_KEPT: Final = timedelta(days=30)
"""A mark that is gone does no harm: who reads from the beginning again also reads to the end."""

KEPT: Final[Mapping[str, str]] = (
    ALWAYS_KEPT
    | {table.name: "a copy of topics that are kept without limit" for table in READ_MODEL}
    | {"audit": "the audit is kept by law"}
)


def rules(settings: ConsoleSettings) -> tuple[Rule, ...]:
    """Return the periods of all other tables."""
    inbox = runtime.inbox
    return (
        outbox_rule(runtime, settings.outbox_kept_hours),
        *refused_rules(runtime, settings.dead_letters_days),
        Rule(inbox.name, _MARKS_KEPT, rows_of(inbox, inbox.c.at)),
    )
