"""The settings of ingest beside those that all services share."""

from __future__ import annotations

from pydantic import Field

from services.runtime.settings import RuntimeSettings


class IngestSettings(RuntimeSettings):
    """What an operator may turn.

    Attributes:
        ingest_waiting_most: Readings that may wait for the database before a source is told to come again.
        ingest_unpublished_most: Readings that may wait for the broker; above, the doors of readings close.
        ingest_disk_free_mib: Room that readings leave on the disk for answers, reports and a clean stop.
        ingest_poison_most: Unreadable records a minute from one source; above, it is muted.
        ingest_raw_days: How long readings are kept one by one, to recognise repeats; then by the hour.
        ingest_quarantine_days: How long what a person never looked at is kept.
        ingest_reports_public: Whether people may report without a key, from the town's own page.
        ingest_reports_key_most, ingest_reports_address_most, ingest_reports_public_most: Reports a minute
            from one key, from one address without a key, and from all of a town's without a key.
        ingest_reports_days: How long a report's public status can be asked for.
    """

    ingest_waiting_most: int = Field(default=50_000, ge=1)
    ingest_unpublished_most: int = Field(default=5_000_000, ge=1)
    ingest_disk_free_mib: int = Field(default=8, ge=0)
    ingest_poison_most: int = Field(default=100, ge=1)
    ingest_raw_days: int = Field(default=30, ge=2)
    ingest_quarantine_days: int = Field(default=30, ge=1)
    ingest_reports_public: bool = True
    ingest_reports_key_most: int = Field(default=600, ge=1)
    ingest_reports_address_most: int = Field(default=30, ge=1)
    ingest_reports_public_most: int = Field(default=300, ge=1)
    ingest_reports_days: int = Field(default=730, ge=1)
