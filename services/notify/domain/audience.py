"""Who belongs to a broadcast, as one number that changes when anybody joins or leaves. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from schemas.vocabulary import MessageState, Purpose

# These go to exactly those who were ever sent any version, whatever zone they live in now.
TO_THE_TOLD: Final = frozenset({Purpose.CORRECTION, Purpose.LIFT})
PUBLIC: Final = TO_THE_TOLD | {Purpose.WARNING, Purpose.RENEWAL}

_NEVER_LEFT: Final = frozenset({MessageState.PLANNED, MessageState.WITHDRAWN, MessageState.SUPPRESSED})


def digest(members: Iterable[tuple[str, str, str]]) -> str:
    """Return the SHA-256 of zone, recipient and language of every member, given in order of recipient."""
    running = hashlib.sha256()
    for zone, recipient_id, language in members:
        running.update(f"{zone}\n{recipient_id}\n{language}\0".encode())
    return running.hexdigest()


def was_told(state: MessageState, *, sending_at: datetime | None, sid: str | None, repeated: bool) -> bool:
    """Say whether a message may have reached its phone; what is not known counts as sent.

    Args:
        state: Where the message stands.
        sending_at: When it was last handed to the carrier without a certain refusal.
        sid: The carrier's id, if it ever gave one.
        repeated: It was planned again although the first hand-over may have worked.
    """
    if repeated or sid is not None:
        return True
    if state in _NEVER_LEFT or state is MessageState.FAILED:
        return False
    return sending_at is not None
