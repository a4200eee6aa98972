"""What leaves first, and how long a message is worth sending. Pure.

The carrier's queue has no lanes, so ours must: a broadcast never delays a coordinator's page, a correction
overtakes what it corrects, and an order to come out overtakes everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from schemas.vocabulary import Level, Purpose

WITHDRAW: Final = -1
PEOPLE: Final = 0
CORRECTION: Final = 1
WARNING_IMPACT: Final = 2
WARNING: Final = 3
UPDATE: Final = 4

_LIFE: Final = {
    Purpose.PAGE: timedelta(minutes=15),
    Purpose.AUTHORITY: timedelta(minutes=15),
    Purpose.TASK: timedelta(hours=1),
    Purpose.WITHDRAW: timedelta(hours=1),
    Purpose.REPLY: timedelta(minutes=10),
    Purpose.WARNING: timedelta(hours=1),
    Purpose.RENEWAL: timedelta(hours=1),
    Purpose.CORRECTION: timedelta(hours=6),
    Purpose.LIFT: timedelta(hours=6),
}


def lane_of(purpose: Purpose, level: Level = Level.ACT) -> int:
    """Return the lane of a message; a lower one leaves first."""
    if purpose is Purpose.WITHDRAW:
        return WITHDRAW
    if purpose is Purpose.CORRECTION:
        return CORRECTION
    if purpose is Purpose.WARNING:
        return WARNING_IMPACT if level >= Level.IMPACT else WARNING
    if purpose in {Purpose.RENEWAL, Purpose.LIFT}:
        return UPDATE
    return PEOPLE


def expires_at(purpose: Purpose, now: datetime, valid_until: datetime | None = None) -> datetime:
    """Return when the message is no longer worth sending; never later than what it says is true."""
    end = now + _LIFE.get(purpose, timedelta(hours=1))
    still_true = valid_until if purpose in {Purpose.WARNING, Purpose.RENEWAL} else None
    return min(end, still_true) if still_true else end
