"""A stretch of one sensor's readings that change no standing, folded in one step. Pure.

For recordings, which are read as columns: what must hold of each reading is said by its sensor's ``Calm``,
and only those that stay in the window are ever made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from services.triage.domain.calm import Calm
from services.triage.domain.state import Kept
from services.triage.domain.window import MAX_WINDOW


def stretch_most(calm: Calm) -> int:
    """Return how many readings fit the window, whatever their times."""
    return max(0, MAX_WINDOW - len(calm.state.window))


def fold_stretch(calm: Calm, count: int, kept: Sequence[Kept]) -> None:
    """Bring a state behind ``count`` readings; ``kept``: those that the last of them leaves in the window.

    The digest stays as it is: it proves to a door that nothing was lost, and a recording came by none.
    """
    state, (newest, n, _, _) = calm.state, kept[-1]
    calm.n, calm.newest = n, newest
    state.last_n = n
    state.count += count
    watermark = newest - calm.lateness
    if state.watermark is None or watermark > state.watermark:
        state.watermark = watermark
    state.window.extend(kept)
    state.newest = kept[-1]
    if state.window[0][0] < state.watermark:
        del state.window[: bisect_left(state.window, state.watermark, key=lambda each: each[0])]
