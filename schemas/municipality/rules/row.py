"""What every rule has, whatever its kind, and what each kind answers for itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from schemas.municipality.base import KnownHazard, Line, Slug, When, Written
from schemas.municipality.document import Loc
from schemas.municipality.ground import Ground, Note
from schemas.municipality.telling import Telling
from schemas.vocabulary import IncidentKind, Level


class Judged(NamedTuple):
    """A sensor whose values a rule judges, and the zero that its thresholds count from.

    ``where``: the field that names the zero, counted from the rule.
    """

    sensor: str
    datum: str
    where: Loc


class RuleRow(Written):
    """One row of the rulebook. The same ``id`` may stand again for another time: thresholds have dates.

    Attributes:
        incident_kind: Of the incidents that it opens; whose protocol says what is done.
    """

    incident_kind: ClassVar[IncidentKind]

    id: Slug
    hazard: KnownHazard
    valid_from: When
    valid_to: When | None = None
    author: Line
    source: Line
    signed_by: Annotated[tuple[Slug, ...], Field(min_length=2)]

    def in_force(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    @abstractmethod
    def judges(self) -> tuple[Judged, ...]:
        """Return the sensors whose values decide; none for a rule about their silence."""

    @abstractmethod
    def places(self) -> tuple[str, ...]:
        """Return the zones whose level it moves; none where the incident is a site's."""

    @abstractmethod
    def reached(self) -> tuple[Level, ...]:
        """Return the levels that it can bring about, ascending."""

    @abstractmethod
    def faults(self, ground: Ground) -> Iterator[Note]:
        """Find what makes no sense, in itself or against the town."""

    @abstractmethod
    def remarks(self, ground: Ground) -> Iterator[Note]:
        """Find what makes sense and may still not be meant."""

    @abstractmethod
    def tell(self, telling: Telling) -> Iterator[str]:
        """Say in plain words where it looks, and what it waits for."""
