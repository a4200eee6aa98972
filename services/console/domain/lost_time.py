"""The ledger of time lost: when each step of a version was reached, and how long it took. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.events.warnings import Ledger

STEPS: Final = tuple(Ledger.model_fields)
NINE_TENTHS: Final = 0.9

Json = dict[str, Any]  # Any: JSON documents


def ledger(known: Ledger, first_accepted_at: datetime | None, delivered_90_at: datetime | None) -> Ledger:
    """Return what notify knew when it published the version, with what messages said since."""
    return known.model_copy(
        update={"first_accepted_at": first_accepted_at, "delivered_90_at": delivered_90_at}
    )


def delivered_90_at(arrived: Sequence[datetime], meant: int) -> datetime | None:
    """Return when nine tenths of ``meant`` messages had arrived; ``None`` while they have not."""
    needed = math.ceil(meant * NINE_TENTHS)
    return sorted(arrived)[needed - 1] if 0 < needed <= len(arrived) else None


def steps(reached: Ledger) -> list[Json]:
    """Return each step with the seconds since the step before it that was reached, and since the first.

    A step that was not reached has no time and no seconds: unknown is never drawn as zero.
    """
    moments: Mapping[str, datetime | None] = {name: getattr(reached, name) for name in STEPS}
    first = next((at for at in moments.values() if at is not None), None)
    before, said = None, list[Json]()
    for name, at in moments.items():
        said.append(
            {
                "step": name.removesuffix("_at"),
                "at": at.isoformat() if at else None,
                "since_previous_s": _seconds(before, at),
                "since_first_s": _seconds(first, at),
            }
        )
        before = at or before
    return said


def total_s(reached: Ledger) -> float | None:
    """Return the seconds from what the sensor saw to nine tenths delivered, once that is known."""
    return _seconds(reached.observed_at, reached.delivered_90_at)


def _seconds(since: datetime | None, at: datetime | None) -> float | None:
    return (at - since).total_seconds() if since is not None and at is not None else None
