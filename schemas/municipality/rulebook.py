"""``rulebook.yaml``: the town's own thresholds, each with a place, a datum, a date and an author."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from schemas.events.base import Moment
from schemas.municipality.base import KnownHazard, KnownProperty, Line, Slug, Written
from schemas.vocabulary import Level

DEFAULT_LATENESS_S = 900


class LevelRow(Written):
    """One level of a rule.

    Attributes:
        raise_at: At or above this the level is reached, in the rule's unit.
        clear_below: Below this it is left. Lower than ``raise_at``, so a river hovering at the limit does
            not ring every phone twice.
    """

    level: Annotated[Level, Field(ge=1)]
    raise_at: float
    clear_below: float


class _Row(Written):
    """What every rule has. The same ``id`` may stand again for another time: thresholds have dates."""

    id: Slug
    hazard: KnownHazard
    valid_from: Moment
    valid_to: Moment | None = None
    author: Line
    source: Line
    signed_by: Annotated[tuple[Slug, ...], Field(min_length=2)]

    def in_force(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class LevelRule(_Row):
    """A sensor's value stands for a level in some zones.

    Attributes:
        confirm: Consecutive readings that must agree before the level moves.
        lateness_s: How long after its time a reading may still arrive before the verdict is settled.
        levels: In ascending order.
    """

    kind: Literal["level"]
    sensor: Slug
    property: KnownProperty
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    datum: Annotated[str, Field(max_length=64)] = ""
    zones: Annotated[tuple[Slug, ...], Field(min_length=1)]
    confirm: int = 1
    lateness_s: Annotated[int, Field(ge=0, le=86_400)] = DEFAULT_LATENESS_S
    levels: Annotated[tuple[LevelRow, ...], Field(min_length=1, max_length=4)]


class SilenceRule(_Row):
    """A source that says nothing for ``after`` is ``no_data``: one task, and its condition stays.

    Attributes:
        no_data: ``site``: a site is silent when all of its sensors named here are; ``sensor``: each alone.
        sensors: Those that are watched; empty: every sensor that a level rule of this hazard reads.
        level: Of the incident that asks for a person.
    """

    kind: Literal["no_data"]
    no_data: Literal["site", "sensor"] = "site"
    sensors: tuple[Slug, ...] = ()
    after: timedelta
    level: Annotated[Level, Field(ge=1)] = Level.WATCH


Rule = Annotated[LevelRule | SilenceRule, Field(discriminator="kind")]


class Rulebook(Written):
    """All rows, whatever their dates."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=5000)]

    @property
    def level_rules(self) -> tuple[LevelRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, LevelRule))

    @property
    def silence_rules(self) -> tuple[SilenceRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, SilenceRule))

    def watched_by(self, rule: SilenceRule) -> tuple[str, ...]:
        """Return the sensors whose silence ``rule`` speaks of, sorted."""
        named = rule.sensors or tuple(row.sensor for row in self.level_rules if row.hazard == rule.hazard)
        return tuple(sorted(set(named)))
