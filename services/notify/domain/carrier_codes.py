"""What to do when the carrier refuses a message for certain: error code → action. Pure.

Codes: RELIABILITY §2.4. What stands there as general knowledge is treated like what was read in the
carrier's pages; a code that is not listed is taken as "not by this channel", so that nobody is given up
on because of a number we never saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from schemas.vocabulary import Channel, Purpose


class Action(StrEnum):
    """What follows for this message; every one ends in a state that a person can see."""

    WAIT = "wait"
    """Nothing was processed: the same message again after a pause."""
    STOP_SENDER = "stop_sender"
    """The sender or its credentials are wrong: rows stay planned, operators are told."""
    SWITCH = "switch"
    """Not by SMS: another channel, as a new message."""
    RETRY_ONCE = "retry_once"
    """The same again after a minute, then another channel."""
    SILENCE = "silence"
    """No further automatic answer to this number."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """An action and who else has to know.

    Attributes:
        flag_contact: The number itself is wrong or cannot take texts; somebody has to correct the directory.
        opted_out: The carrier itself holds back texts to this number until its owner writes START.
        tell_operators: No text of this sender may pass; waiting does not mend it.
    """

    action: Action
    flag_contact: bool = False
    opted_out: bool = False
    tell_operators: bool = False


_WAIT = Remedy(Action.WAIT)
_SENDER = Remedy(Action.STOP_SENDER, tell_operators=True)
_NUMBER = Remedy(Action.SWITCH, flag_contact=True)
_QUEUE = Remedy(Action.SWITCH, tell_operators=True)
_ROUTE = Remedy(Action.SWITCH, tell_operators=True)
_HANDSET = Remedy(Action.RETRY_ONCE)
_UNLISTED = Remedy(Action.SWITCH)

REMEDIES: Final[Mapping[int, Remedy]] = MappingProxyType(
    {
        429: _WAIT,
        20429: _WAIT,
        **dict.fromkeys((20003, 20404, 21606), _SENDER),
        **dict.fromkeys((21211, 21614, 21635, 30005, 30006), _NUMBER),
        21610: Remedy(Action.SWITCH, opted_out=True),
        **dict.fromkeys((21408, 21612), _ROUTE),
        **dict.fromkeys((21611, 30001, 30036), _QUEUE),
        **dict.fromkeys((30003, 30008, 30500), _HANDSET),
        **dict.fromkeys((30004, 30007, 30034), _ROUTE),
        14107: Remedy(Action.SILENCE),
    }
)
RETRY_ONCE_AFTER_S: Final = 60.0
MOST_ATTEMPTS_ONCE: Final = 2
_NEVER_SPOKEN: Final = frozenset({Purpose.REPLY})


def remedy(code: int | None, http_status: int | None = None) -> Remedy:
    """Return what to do about an error code; without one the HTTP status speaks (429, 401, 403)."""
    if code is not None and code in REMEDIES:
        return REMEDIES[code]
    if http_status == 429:
        return _WAIT
    if http_status in {401, 403}:
        return _SENDER
    return _UNLISTED


def next_channel(channel: Channel, purpose: Purpose) -> Channel | None:
    """Return the channel that follows a refused one; a call is the last, an answer is never called out."""
    if channel is Channel.SMS and purpose not in _NEVER_SPOKEN:
        return Channel.VOICE
    return None


def is_worth_repeating(found: Remedy, attempt: int) -> bool:
    """Say whether the same message goes out once more; ``attempt`` counts the tries already made."""
    return found.action is Action.RETRY_ONCE and attempt < MOST_ATTEMPTS_ONCE
