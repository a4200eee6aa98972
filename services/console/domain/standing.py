"""Where a warning stands after its next version, and what a message's state proves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.events.warnings import WarningLifted, WarningRequested
from schemas.vocabulary import MessageState, Purpose, WarningState

S = MessageState

HANDED_OVER: Final = frozenset({S.ACCEPTED, S.QUEUED, S.SENT, S.DELIVERED, S.ANSWERED, S.UNDELIVERED})
"""The carrier had the message; ``failed`` and ``expired`` may never have left us."""

ARRIVED: Final = frozenset({S.DELIVERED, S.ANSWERED})
NOT_MEANT: Final = frozenset({S.WITHDRAWN, S.SUPPRESSED})
"""Nobody was to get it any more: not in the denominator of reach."""

PUBLIC: Final = frozenset({Purpose.WARNING, Purpose.RENEWAL, Purpose.CORRECTION, Purpose.LIFT})


@dataclass(frozen=True, slots=True)
class Standing:
    """A warning's state and the version whose words hold, if any do."""

    state: WarningState
    in_force_version: int | None


def after(before: Standing | None, kind: str, version: int, state: WarningState) -> Standing:
    """Return where a warning stands after a version of this type.

    A question about a warning in force (its renewal) ends nothing: the words go on until it is answered.
    """
    if kind == WarningRequested.TYPE:
        if before is not None and before.in_force_version is not None:
            return before
        return Standing(state, None)
    return Standing(state, None if kind == WarningLifted.TYPE else version)
