"""One reading on its way through stage 1: what it meets, and what it brings about. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.triage.domain import verdicts
from services.triage.domain.changes import Change, ConditionMoved, Signal
from services.triage.domain.inputs import Reading
from services.triage.domain.rulebook import Book, Levels, SensorRules
from services.triage.domain.state import SensorState, Track
from services.triage.domain.window import edition


@dataclass(slots=True)
class Outcome:
    """What a pass over stage 1 brought: states to save, verdicts to show, signals for stage 2.

    Attributes:
        cause: Id of the event that brought the first signal, where it is known.
    """

    touched: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    cause: str | None = None

    def add(self, piece: Outcome, *, cause: str) -> None:
        """Take in the verdicts and signals of a part, and the event that it came from."""
        self.changes += piece.changes
        self.signals += piece.signals
        if self.cause is None and piece.signals:
            self.cause = cause


@dataclass(slots=True)
class Folding:
    """A reading, the rules and the state of its sensor. ``in_force``: at the reading's own time."""

    book: Book
    rules: SensorRules
    state: SensorState
    reading: Reading
    out: Outcome
    in_force: tuple[Levels, ...]

    def move(self, rule_id: str, track: Track, level: int, *, is_revision: bool = False) -> None:
        """Bring the condition to ``level``: a verdict with its reasons, and a signal for stage 2."""
        before, track.level, track.since = track.level, level, self.reading.observed_at
        rule = edition(self.in_force, rule_id)
        if rule is None:
            verdict = verdicts.rule_ended(self.book, self.rules.by_id[rule_id], self.reading, before)
        else:
            verdict = verdicts.moved(
                self.book, rule, self.reading, before=before, after=level, is_revision=is_revision
            )
        self.out.changes.append(verdict)
        self.out.signals.append(moved_signal(self.reading, rule_id, before, level, is_revision=is_revision))


def moved_signal(
    reading: Reading, rule_id: str, before: int, level: int, *, is_revision: bool = False
) -> ConditionMoved:
    return ConditionMoved(
        at=reading.received_at,
        rule_id=rule_id,
        sensor_id=reading.sensor_id,
        level=level,
        before=before,
        value=reading.value,
        observed_at=reading.observed_at,
        received_at=reading.received_at,
        revision=is_revision,
    )
