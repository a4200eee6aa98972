"""Who belongs to a broadcast, and who was told."""

from __future__ import annotations

from itertools import pairwise

import pytest

from schemas.vocabulary import MessageState
from services.notify.domain.audience import digest, was_told
from tests.unit.notify.domain_rig import NOW

MEMBERS = [("z-1", "a", "es"), ("z-1", "b", "es")]


@pytest.mark.parametrize(
    "other",
    [
        MEMBERS[:1],
        [*MEMBERS, ("z-1", "c", "es")],
        [MEMBERS[0], ("z-2", "b", "es")],
        [MEMBERS[0], ("z-1", "b", "en")],
    ],
    ids=["one gone", "one more", "moved", "other language"],
)
def test_digest_changes_with_anybody(other: list[tuple[str, str, str]]) -> None:
    assert digest(other) != digest(MEMBERS)
    assert digest(iter(MEMBERS)) == digest(MEMBERS)


@pytest.mark.parametrize(
    ("state", "sending", "sid", "repeated", "told"),
    [
        (MessageState.PLANNED, False, None, False, False),
        (MessageState.WITHDRAWN, False, None, False, False),
        (MessageState.SENDING, True, None, False, True),
        (MessageState.UNRESOLVED, True, None, False, True),
        (MessageState.DELIVERED, True, "SM1", False, True),
        (MessageState.UNDELIVERED, True, "SM1", False, True),
        (MessageState.FAILED, True, None, False, False),
        (MessageState.WITHDRAWN, False, None, True, True),
        (MessageState.EXPIRED, True, None, False, True),
        (MessageState.EXPIRED, False, None, False, False),
    ],
)
def test_unknown_counts_as_told(
    state: MessageState, sending: bool, sid: str | None, repeated: bool, told: bool
) -> None:
    assert was_told(state, sending_at=NOW if sending else None, sid=sid, repeated=repeated) is told


def test_order_of_members_is_the_callers() -> None:
    assert all(first[1] < second[1] for first, second in pairwise(MEMBERS))
