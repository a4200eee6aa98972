"""What a rule is held against: the town's sensors, zones and protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.municipality.document import Loc
from schemas.municipality.duty import Protocol
from schemas.municipality.places import Sensor
from schemas.vocabulary import Hazard, IncidentKind


class Note(NamedTuple):
    """Something about one field of a rule, in words; ``where`` counts from the rule."""

    where: Loc
    reason: str


@dataclass(frozen=True)
class Ground:
    """The rest of the folder, as far as it could be read.

    Attributes:
        judged: Per hazard, the sensors whose values a rule judges. A silence rule that names none watches
            these.
        is_whole: Every rule that is written could be read: what no rule does, none was meant to do.
    """

    sensors: Mapping[str, Sensor]
    zones: Collection[str]
    protocols: Mapping[tuple[Hazard, IncidentKind], Protocol]
    judged: Mapping[Hazard, tuple[str, ...]]
    is_whole: bool


def listed(name: str, given: Sequence[str], known: Collection[str], what: str) -> Iterator[Note]:
    """Find the items of a list that nobody knows, or that stand twice."""
    for index, item in enumerate(given):
        if item not in known:
            yield Note((name, index), f"{item} is not a {what}")
        elif item in given[:index]:
            yield Note((name, index), f"{item} stands twice")
