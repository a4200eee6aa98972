"""Turn what stage 1 found into verdicts with reasons, the verdict not to alert included. Pure."""

from __future__ import annotations

from datetime import datetime

from schemas.events.base import Reason
from services.triage.domain.changes import Change
from services.triage.domain.inputs import Reading
from services.triage.domain.level import Row
from services.triage.domain.reasons import amount, label, moment, reason
from services.triage.domain.rulebook import Book, Levels
from services.triage.domain.state import Kept


def moved(
    book: Book, rule: Levels, reading: Reading, *, before: int, after: int, is_revision: bool
) -> Change:
    """The condition is at another level now."""
    words = {**_words(book, rule, reading), "level": after, "label": label(book, after)}
    if is_revision:
        why = reason("late.raised", received=moment(book, reading.received_at), **words)
    elif after < before:
        row = _row(rule, before)
        why = reason("level.fallen", threshold=amount(row.clear_below, rule.unit), **words)
    else:
        words["threshold"] = amount(_row(rule, after).raise_at, rule.unit)
        confirm = rule.ladder.confirm
        code = "level.raised_confirmed" if confirm > 1 else "level.raised"
        why = reason(code, confirm=confirm, **words)
    return _change(book, rule, reading, why, before=before, after=after)


def rule_ended(book: Book, rule: Levels, reading: Reading, before: int) -> Change:
    """No edition of the rule is in force any more."""
    why = reason(
        "level.rule_ended", rule=rule.id, sensor=reading.sensor_id, at=moment(book, reading.observed_at)
    )
    return _change(book, rule, reading, why, before=before, after=0)


def rule_gone(book: Book, rule_id: str, reading: Reading, before: int) -> Change:
    """The new rulebook has no such rule: its condition ends; an incident that it decided does not."""
    return Change(
        kind="condition",
        at=reading.received_at,
        observed_at=reading.observed_at,
        reasons=(reason("level.rule_gone", rule=rule_id, sensor=reading.sensor_id),),
        rule=rule_id,
        sensor_id=reading.sensor_id,
        before=before,
        after=0,
        provisional=True,
        rulebook_version=book.version,
    )


def waiting(book: Book, rule: Levels, reading: Reading, *, level: int, row: Row, count: int) -> Change:
    """A reading reached a level that further readings must confirm: not yet an alert."""
    why = reason(
        "level.waiting",
        count=count,
        confirm=rule.ladder.confirm,
        threshold=amount(row.raise_at, rule.unit),
        **_words(book, rule, reading),
    )
    return _change(book, rule, reading, why, before=level, after=level)


def not_usable(book: Book, rule: Levels, reading: Reading, level: int) -> Change:
    """A value above a threshold that may not decide."""
    words = {**_words(book, rule, reading), "value": amount(reading.value, reading.unit)}
    why = reason(
        "reading.unusable", threshold=amount(rule.lowest, rule.unit), quality=reading.quality, **words
    )
    return _change(book, rule, reading, why, before=level, after=level)


def too_late(book: Book, rule: Levels, reading: Reading, level: int, *, too_old: bool) -> Change:
    """A reading above a threshold whose place is settled, and which does not raise by itself."""
    words = _words(book, rule, reading)
    if too_old:
        why = reason("late.too_old", **words)
    else:
        why = reason("late.nothing", received=moment(book, reading.received_at), level=level, **words)
    return _change(book, rule, reading, why, before=level, after=level)


def kept_though_late(book: Book, rule: Levels, reading: Reading, level: int) -> Change:
    """A late reading would lower; it does not."""
    why = reason("late.kept", level=level, **_words(book, rule, reading))
    return _change(book, rule, reading, why, before=level, after=level)


def settled(book: Book, rule: Levels, kept: Kept, *, at: datetime, before: int, after: int) -> Change:
    """The watermark has passed a reading: what it brought is final."""
    observed_at, _, value, _ = kept
    why = reason(
        "level.settled",
        sensor=rule.sensor_id,
        value=amount(value, rule.unit),
        at=moment(book, observed_at),
        before=before,
        level=after,
        label=label(book, after),
    )
    return Change(
        kind="condition",
        at=at,
        observed_at=observed_at,
        reasons=(why,),
        rule=rule.id,
        sensor_id=rule.sensor_id,
        zones=rule.zones,
        before=before,
        after=after,
        value=value,
        unit=rule.unit,
        rulebook_version=book.version,
    )


def _change(book: Book, rule: Levels, reading: Reading, why: Reason, *, before: int, after: int) -> Change:
    return Change(
        kind="condition",
        at=reading.received_at,
        observed_at=reading.observed_at,
        reasons=(why,),
        rule=rule.id,
        sensor_id=reading.sensor_id,
        zones=rule.zones,
        before=before,
        after=after,
        value=reading.value,
        unit=reading.unit,
        provisional=True,
        rulebook_version=book.version,
    )


def _words(book: Book, rule: Levels, reading: Reading) -> dict[str, object]:
    return {
        "sensor": reading.sensor_id,
        "value": amount(reading.value, rule.unit),
        "at": moment(book, reading.observed_at),
    }


def _row(rule: Levels, level: int) -> Row:
    """Return the row of ``level``; of a level that only another edition has, the nearest lower one."""
    rows = rule.ladder.rows
    return max((row for row in rows if row.level <= level), key=lambda row: row.level, default=rows[0])
