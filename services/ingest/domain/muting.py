"""When a source sends so much that cannot be read that it is set apart until a person has looked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a source behaves.

    Attributes:
        window_at: When the present minute of counting began.
        poison: Unreadable records in it.
        muted_at: Since when all that it sends is set apart; only a person lifts that.
    """

    window_at: datetime
    poison: int = 0
    muted_at: datetime | None = None

    @property
    def is_muted(self) -> bool:
        return self.muted_at is not None

    def after(self, poison: int, at: datetime, most: int) -> Conduct:
        """Return the conduct after more poison; above ``most`` a minute the source is muted."""
        fresh = self if at - self.window_at < WINDOW else replace(self, window_at=at, poison=0)
        counted = replace(fresh, poison=fresh.poison + poison)
        if counted.poison > most and not counted.is_muted:
            return replace(counted, muted_at=at)
        return counted
