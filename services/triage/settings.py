"""What triage reads from the environment, beside what all services do."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field

from services.runtime.settings import RuntimeSettings

SERVICE: Final = "triage"


class TriageSettings(RuntimeSettings):
    """Settings of triage.

    Attributes:
        readings_max_records: Records of ``readings`` in one batch and one transaction.
        decision_waits_s: How long a decision about an incident not yet known is kept before it expires.
        changes_kept_days: Verdicts older than this are deleted; incidents and decisions are kept.
        inputs_kept_days: What was decided upon, in its order: for so long it can be decided again.
    """

    readings_max_records: int = Field(default=500, ge=1, le=5000)
    decision_waits_s: int = Field(default=600, ge=1, le=86_400)
    changes_kept_days: int = Field(default=365, ge=1)
    inputs_kept_days: int = Field(default=1825, ge=1)

    @property
    def decision_waits(self) -> timedelta:
        return timedelta(seconds=self.decision_waits_s)
