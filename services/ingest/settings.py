"""The settings of ingest beside those that all services share."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from services.runtime.settings import RuntimeSettings


class IngestSettings(RuntimeSettings):
    """What an operator may turn.

    Attributes:
        ingest_waiting_most: Readings that may wait for the database before a source is told to come again.
        ingest_poison_most: Unreadable records a minute from one source; above, it is muted.
        ingest_kept_hours: How long published readings are kept to recognise repeats.
        ingest_quarantine_days: How long what a person never looked at is kept.
    """

    ingest_waiting_most: int = Field(default=50_000, ge=1)
    ingest_poison_most: int = Field(default=100, ge=1)
    ingest_kept_hours: int = Field(default=48, ge=1)
    ingest_quarantine_days: int = Field(default=30, ge=1)

    @property
    def kept(self) -> timedelta:
        return timedelta(hours=self.ingest_kept_hours)

    @property
    def quarantine_kept(self) -> timedelta:
        return timedelta(days=self.ingest_quarantine_days)
