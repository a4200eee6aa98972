"""When ingest takes no more readings: what is behind it is full. Reports of people are taken to the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from services.ingest.errors import DoorClosed
from services.ingest.outbound import packs
from services.ingest.settings import IngestSettings
from services.runtime.bounds import Bound
from services.runtime.database import Database
from services.runtime.disk import free_bytes

log = structlog.get_logger()

MEASURE_EVERY_S: Final = 5
_MIB: Final = 1024 * 1024
_CLOSED: Final = "readings are answered 503 with Retry-After; the consumer of readings.external is paused"


class Pressure:
    """Measured now and then, asked for every request.

    Args:
        waiting: Readings that wait for the database at this moment.
        free: Bytes that can still be written to the folder of the data.
    """

    def __init__(
        self,
        db: Database,
        settings: IngestSettings,
        waiting: Callable[[], int],
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._db = db
        self._settings = settings
        self._waiting = waiting
        self._free = free
        self._unpublished = 0
        self._short_of_disk = 0.0
        self._closed: str | None = None

    async def measure(self) -> None:
        """Look how much waits for the broker, and how much room the disk has.

        Raises:
            Retriable: The database is away; what was measured last holds.
        """
        if self._db.dialect == "sqlite":  # Elsewhere the database's disk is not ours to see.
            least = self._settings.ingest_disk_free_mib * _MIB
            self._short_of_disk = least / max(1, self._free(self._settings.data_dir))
        async with self._db.reading() as conn:
            self._unpublished = await packs.count(conn)
        reached = [each.name for each in self._behind() if each.is_met]
        closed = ", ".join(reached) or None
        if closed != self._closed:
            log.error("ingest.doors_closed", reached=closed) if closed else log.info("ingest.doors_opened")
        self._closed = closed

    def admit(self) -> None:
        """Let readings pass.

        Raises:
            DoorClosed: A bound is reached; nothing of them was stored.
        """
        if self._closed is not None:
            raise DoorClosed(f"no readings are taken at present: {self._closed}")

    def bounds(self) -> list[dict[str, Any]]:
        """Return every bound of the doors, for ``/admin/v1/status``."""
        waiting_most = self._settings.ingest_waiting_most
        queue = Bound("readings_waiting", self._waiting(), waiting_most, "503 with Retry-After")
        return [each.as_json() for each in (queue, *self._behind())]

    def _behind(self) -> Sequence[Bound]:
        most = self._settings.ingest_unpublished_most
        return (
            Bound("readings_unpublished", self._unpublished, most, _CLOSED),
            Bound("disk_reserve", round(self._short_of_disk, 3), 1, _CLOSED),
        )
