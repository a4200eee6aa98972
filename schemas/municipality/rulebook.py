"""``rulebook.yaml``: the town's own thresholds, each with a place, a datum, a date and an author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from schemas.municipality.base import Written
from schemas.municipality.rules.level import LevelRow, LevelRule
from schemas.municipality.rules.row import RuleRow
from schemas.municipality.rules.silence import SilenceRule

__all__ = ["KINDS", "LevelRow", "LevelRule", "Rule", "RuleRow", "Rulebook", "SilenceRule"]

Rule = LevelRule | SilenceRule
KINDS: Final[Mapping[str, type[Rule]]] = {"level": LevelRule, "no_data": SilenceRule}


class Rulebook(Written):
    """All rows, whatever their dates."""

    rules: Annotated[
        tuple[Annotated[Rule, Field(discriminator="kind")], ...], Field(min_length=1, max_length=5000)
    ]

    @property
    def level_rules(self) -> tuple[LevelRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, LevelRule))

    @property
    def silence_rules(self) -> tuple[SilenceRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, SilenceRule))

    def watched_by(self, rule: SilenceRule) -> tuple[str, ...]:
        """Return the sensors whose silence ``rule`` speaks of, sorted."""
        judged = (judged.sensor for row in self.rules if row.hazard == rule.hazard for judged in row.judges())
        return tuple(sorted(set(rule.sensors or judged)))
