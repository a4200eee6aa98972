"""The seeded fault plan: what goes wrong with which request, the same again for the same seed."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

RequestFault = Literal["none", "down", "busy", "fail_before", "fail_after", "hang_after", "reset_after"]
_DRAWN: tuple[tuple[str, RequestFault], ...] = (
    ("busy_share", "busy"),
    ("fail_before_share", "fail_before"),
    ("fail_after_share", "fail_after"),
    ("hang_after_share", "hang_after"),
    ("reset_after_share", "reset_after"),
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Shares are from 0 to 1.

    Attributes:
        only_to: Regular expression on the number; others meet no fault. Empty: everyone.
        down: Every request is answered 503, nothing is taken.
        busy_share: 429 with ``Retry-After: retry_after_s``, not taken.
        fail_before_share: 500, not taken.
        fail_after_share: 500, taken.
        hang_after_share: Taken, and no answer for ``hang_s``.
        reset_after_share: Taken, and the connection is reset.
        slow_share: The answer takes up to ``slow_s_max`` longer.
        callback_drop_share: The status never arrives.
        callback_double_share: The status arrives twice.
        callback_late_share: The status arrives up to ``callback_late_s_max`` later, so that order is lost.
        callback_forge_share: A wrongly signed one arrives before the true one.
        callback_replay_share: The same status arrives again ``callback_late_s_max`` later.
        list_stale_s: Listing shows only what was accepted so long ago.
        queue_limit_s: How much a sender's queue holds before 21611 (Twilio: 10 h).
        suffix_codes: ``{"003": 30003}``: texts to numbers ending so are undelivered with that code.
    """

    seed: int = 1
    only_to: str = ""
    down: bool = False
    busy_share: float = 0.0
    retry_after_s: int = 1
    fail_before_share: float = 0.0
    fail_after_share: float = 0.0
    hang_after_share: float = 0.0
    hang_s: float = 30.0
    reset_after_share: float = 0.0
    slow_share: float = 0.0
    slow_s_max: float = 15.0
    callback_drop_share: float = 0.0
    callback_double_share: float = 0.0
    callback_late_share: float = 0.0
    callback_late_s_max: float = 10.0
    callback_forge_share: float = 0.0
    callback_replay_share: float = 0.0
    list_stale_s: float = 0.0
    queue_limit_s: float = 36_000.0
    suffix_codes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (row.name for row in fields(self) if row.name.endswith("_share")):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: must be from 0 to 1")
        if sum(getattr(self, name) for name, _ in _DRAWN) > 1.0:
            raise ValueError("the shares of one request's faults add up to more than 1")
        re.compile(self.only_to)

    @staticmethod
    def read(told: Mapping[str, Any]) -> FaultPlan:
        """Build a plan from JSON.

        Raises:
            ValueError: An unknown name or a share out of range.
        """
        unknown = set(told) - {row.name for row in fields(FaultPlan)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return FaultPlan(**told)

    def json(self) -> dict[str, Any]:
        return asdict(self)

    def concerns(self, number: str) -> bool:
        return re.search(self.only_to, number) is not None

    def code_for(self, number: str) -> int | None:
        """Return the code of the longest suffix that fits the number."""
        fitting = [suffix for suffix in self.suffix_codes if number.endswith(suffix)]
        return self.suffix_codes[max(fitting, key=len)] if fitting else None


class Faults:
    """Draws from a plan. The n-th request and the n-th callback always meet the same fate.

    Attributes:
        met: How often each fault took effect, since the plan was given.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.follow(plan)

    def follow(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.met: Counter[str] = Counter()
        self._requests = random.Random(f"requests {plan.seed}")
        self._callbacks = random.Random(f"callbacks {plan.seed}")

    def request(self, number: str) -> tuple[RequestFault, float]:
        """Return the fault of this request and how many seconds its answer is slowed."""
        fault, late_s = self._drawn(number)
        self.met.update([fault] if fault != "none" else [], slow=int(late_s > 0))
        return fault, late_s

    def _drawn(self, number: str) -> tuple[RequestFault, float]:
        plan, draw = self.plan, self._requests
        chosen, slow, slow_s = draw.random(), draw.random(), draw.random() * self.plan.slow_s_max
        if plan.down:
            return "down", 0.0
        if not plan.concerns(number):
            return "none", 0.0
        late_s = slow_s if slow < plan.slow_share else 0.0
        for share, fault in _DRAWN:
            chosen -= getattr(plan, share)
            if chosen < 0:
                return fault, late_s
        return "none", late_s

    def callback_posts(self, number: str) -> list[tuple[float, bool]]:
        """Return when (seconds from now) and whether truly signed the posts of one status are made."""
        plan = self.plan
        drop, double, late, forge, replay, how_late = (self._callbacks.random() for _ in range(6))
        if not plan.concerns(number):
            return [(0.0, True)]
        posts = [(0.0, False)] if forge < plan.callback_forge_share else []
        self.met["callback_forged"] += len(posts)
        if drop < plan.callback_drop_share:
            self.met["callback_dropped"] += 1
            return posts
        delay_s = how_late * plan.callback_late_s_max if late < plan.callback_late_share else 0.0
        self.met["callback_late"] += int(delay_s > 0)
        is_double = double < plan.callback_double_share
        self.met["callback_doubled"] += int(is_double)
        posts += [(delay_s, True)] * (2 if is_double else 1)
        if replay < plan.callback_replay_share:
            self.met["callback_replayed"] += 1
            posts.append((delay_s + plan.callback_late_s_max, True))
        return posts
