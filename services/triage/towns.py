"""The municipalities that this deployment serves, arranged for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from schemas.municipality import Municipality
from schemas.topics import READINGS, partition_of
from services.triage.domain.engine import watched_sensors
from services.triage.domain.rulebook import Book, book_of


class Towns:
    """Books by municipality, and which silences are decided on which partition."""

    def __init__(
        self, municipalities: Mapping[str, Municipality], partitions: int = READINGS.partitions
    ) -> None:
        self.folders = dict(municipalities)
        self.books = {town_id: book_of(town) for town_id, town in municipalities.items()}
        self._watched: dict[int, dict[str, tuple[str, ...]]] = {}
        for town_id, book in self.books.items():
            for sensor_id in watched_sensors(book):
                place = partition_of(town_id, book.site_of(sensor_id), partitions)
                here = self._watched.setdefault(place, {})
                here[town_id] = (*here.get(town_id, ()), sensor_id)

    def __contains__(self, municipality: str) -> bool:
        return municipality in self.books

    def book(self, municipality: str) -> Book:
        """Return the town's book; one without rules for a town whose folder is gone.

        Its readings are still counted, so that nothing is lost when the folder comes back.
        """
        known = self.books.get(municipality)
        return known if known is not None else _without_rules(municipality)

    def watched(self, partition: int) -> Mapping[str, tuple[str, ...]]:
        """Return, per town, the sensors whose silence the ticks of this partition decide."""
        return self._watched.get(partition, {})


def _without_rules(municipality: str) -> Book:
    return Book(
        municipality=municipality,
        version="",
        time_zone=ZoneInfo("UTC"),
        labels=(),
        sensors={},
        levels={},
        silences={},
        zone_names={},
    )
