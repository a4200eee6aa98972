"""Which bounds this process has reached: what waits, and for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge

from services.runtime import metrics
from services.runtime.relay import HELD_MAX


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound and where it stands.

    Attributes:
        effect: What happens at the bound; never a silent drop.
    """

    name: str
    value: float
    most: float
    effect: str

    @property
    def is_met(self) -> bool:
        return self.value >= self.most

    def as_json(self) -> dict[str, Any]:
        """Return it for ``/admin/v1/status``; metrics learn it by the way."""
        metrics.BOUND.labels(self.name).set(self.value / self.most if self.most else float(self.is_met))
        said = {"name": self.name, "value": self.value, "most": self.most}
        return said | {"is_met": self.is_met, "effect": self.effect}


def of_process() -> list[dict[str, Any]]:
    """Return the bounds that every process has: its consumers, and its relay."""
    waits = [
        Bound(f"batch_waits:{topic}", tries, 1, "the consumer is paused and tries again within 3 s")
        for topic, tries in by_topic(metrics.TRIES).items()
    ]
    held = next(iter(metrics.HELD_KEYS.collect())).samples[0].value
    relay = Bound("relay_held_keys", held, HELD_MAX, "the relay pauses up to 2 s between rounds")
    return [each.as_json() for each in (*waits, relay)]


def lags() -> dict[str, int]:
    """Return per topic how many records are not yet handled, as its consumer last saw."""
    return {topic: int(lag) for topic, lag in by_topic(metrics.LAG).items()}


def by_topic(gauge: Gauge) -> dict[str, float]:
    """Return a gauge's values by topic."""
    return {each.labels["topic"]: each.value for each in next(iter(gauge.collect())).samples}
