"""Life of one message to one person: which state may follow which, and what the carrier's words mean. Pure.

    planned → sending → accepted → queued → sent → delivered → answered
    sending → unresolved → (accepted … | planned again)          planned → suppressed | withdrawn | expired

States only move forward; the one way back is to ``planned``, when a message is certain not to have reached
anybody or when nobody can say (RELIABILITY, appendix C); if it was taken back meanwhile, that way ends in
``withdrawn`` instead. ``delivered`` and ``answered`` are facts: they win
over ``expired`` and ``undelivered``, which are what we believed until somebody was heard from.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.vocabulary import Channel, MessageState

S = MessageState

_CARRIER_HAS_IT: Final = frozenset({S.ACCEPTED, S.QUEUED, S.SENT})
_OUTCOMES: Final = frozenset({S.DELIVERED, S.ANSWERED, S.UNDELIVERED, S.FAILED, S.EXPIRED})

NEXT: Final[Mapping[MessageState, frozenset[MessageState]]] = MappingProxyType(
    {
        S.PLANNED: frozenset({S.SENDING, S.SUPPRESSED, S.WITHDRAWN, S.FAILED, S.EXPIRED})
        | _CARRIER_HAS_IT  # a late word about an attempt whose outcome nobody knew: no need to send again
        | {S.DELIVERED, S.ANSWERED},
        S.SENDING: frozenset({S.PLANNED, S.WITHDRAWN, S.UNRESOLVED})
        | _CARRIER_HAS_IT
        | (_OUTCOMES - {S.EXPIRED}),
        S.UNRESOLVED: frozenset({S.PLANNED, S.WITHDRAWN}) | _CARRIER_HAS_IT | _OUTCOMES,
        S.ACCEPTED: frozenset({S.PLANNED, S.QUEUED, S.SENT}) | _OUTCOMES,
        S.QUEUED: frozenset({S.PLANNED, S.SENT}) | _OUTCOMES,
        S.SENT: frozenset({S.PLANNED}) | _OUTCOMES,
        S.DELIVERED: frozenset({S.ANSWERED}),
        S.ANSWERED: frozenset(),
        S.UNDELIVERED: frozenset({S.ANSWERED}),
        S.FAILED: frozenset(),
        S.EXPIRED: frozenset({S.DELIVERED, S.ANSWERED}),
        S.SUPPRESSED: frozenset(),
        S.WITHDRAWN: frozenset({S.DELIVERED, S.ANSWERED}),
        S.UNKNOWN: frozenset(),
    }
)

NOT_HANDED_OVER: Final = frozenset({S.PLANNED, S.SENDING, S.UNRESOLVED})
WITH_CARRIER: Final = _CARRIER_HAS_IT
OPEN: Final = NOT_HANDED_OVER | WITH_CARRIER
TERMINAL: Final = frozenset(NEXT) - OPEN
FACTS: Final = frozenset({S.DELIVERED, S.ANSWERED})

_SMS: Final[Mapping[str, MessageState]] = {
    "accepted": S.QUEUED,
    "scheduled": S.QUEUED,
    "queued": S.QUEUED,
    "sending": S.QUEUED,
    "sent": S.SENT,
    "delivered": S.DELIVERED,
    "partially_delivered": S.DELIVERED,
    "read": S.DELIVERED,
    "undelivered": S.UNDELIVERED,
    "failed": S.FAILED,
    "canceled": S.FAILED,
}
_CALL: Final[Mapping[str, MessageState]] = {
    "queued": S.QUEUED,
    "initiated": S.SENT,
    "ringing": S.SENT,
    "in-progress": S.SENT,
    "answered": S.SENT,
    "completed": S.DELIVERED,
    "busy": S.UNDELIVERED,
    "no-answer": S.UNDELIVERED,
    "canceled": S.UNDELIVERED,
    "failed": S.FAILED,
}
EXPIRED_AT_CARRIER: Final = 30036


def may_follow(before: MessageState, after: MessageState) -> bool:
    return after in NEXT[before]


def before(after: MessageState) -> frozenset[MessageState]:
    """Return the states from which ``after`` may be entered: the ``IN`` list of its UPDATE."""
    return frozenset(state for state, following in NEXT.items() if after in following)


def meaning(
    channel: Channel, status: str, *, code: int | None = None, answered_by: str | None = None
) -> MessageState | None:
    """Return the state that a carrier's status word stands for; ``None`` for a word we do not know.

    A call that a machine took is ``undelivered``: a voicemail is not a person who heard. An SMS that the
    carrier let expire (30036) is ``expired``, whatever word it uses.
    """
    if channel is Channel.VOICE:
        if is_machine(answered_by):
            return S.UNDELIVERED
        return _CALL.get(status.lower())
    state = _SMS.get(status.lower())
    return S.EXPIRED if code == EXPIRED_AT_CARRIER and state in {S.FAILED, S.UNDELIVERED} else state


def is_machine(answered_by: str | None) -> bool:
    return bool(answered_by) and str(answered_by).lower().startswith(("machine", "fax"))


def counts(state: MessageState, *, attempt: int, latest_attempt: int, repeating: bool = False) -> bool:
    """Say whether a status still speaks of the message as it stands.

    Of an attempt that was replaced, or that ended and is about to be repeated, only a fact about the
    person counts; all else is late news of something that is over.
    """
    return state in FACTS or (attempt >= latest_attempt and not repeating)


def pause_s(attempt: int, jitter: float, *, base_s: float = 1.0, most_s: float = 30.0) -> float:
    """Return how long to wait before the next try; ``jitter`` in [0, 1) spreads it over half its length."""
    full = min(most_s, base_s * 2.0 ** min(max(attempt - 1, 0), 16))
    return full * (0.5 + jitter / 2)
