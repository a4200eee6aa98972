"""The item of a fault that is not judged by the oracle: what it cannot count is 0."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.campaign import Json, Order, say

NOT_COUNTED = (
    "kills",
    "messages",
    "lost_readings",
    "lost_verdicts",
    "lost_messages",
    "lost_replies",
)


def bare_item(
    order: Order,
    fault: str,
    *,
    load: int,
    fired: int,
    lost: int,
    duplicates: int = 0,
    unexpected: int = 0,
    recovered_s: float,
    is_planted_found: bool,
    broken: Sequence[str],
    **facts: object,
) -> Json:
    """Return the item; it passes when nothing is lost, doubled, unexpected or broken."""
    wrong = list(broken)
    if not is_planted_found:
        wrong.append("the planted loss was not found")
    if not fired:
        wrong.append("the fault never took effect")
    for sentence in wrong:
        say(f"   {sentence}")
    return {
        "id": fault,
        "database": order.database,
        "load": load,
        "fired": fired,
        "incidents": 0,
        **dict.fromkeys(NOT_COUNTED, 0),
        "lost": lost,
        "duplicates": duplicates,
        "duplicate_pct": round(100 * duplicates / max(1, load), 3),
        "unexpected": unexpected,
        "recovered_s": round(recovered_s, 1),
        "planted_found": is_planted_found,
        **facts,
        "broken": wrong,
        "seed": order.seed,
        "pass": not wrong and lost == duplicates == unexpected == 0,
    }
