"""Does a process grow? A robust slope over the second half of a run, held against a stated bound. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

LEAST_SAMPLES = 6


class TooFewSamples(Exception):
    """The run was too short to say anything about growth."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process. ``log_bytes`` were written since the look before.

    Attributes:
        descriptors: All but those of ``connections``, which are established ones of TCP.
        pid: Another pid is another process, whose memory says nothing of the one before.
        outbox_s: Age of the oldest unpublished row, in seconds of the town's clock; of a service.
    """

    at_s: float
    process: str
    pid: int
    rss_mb: float
    descriptors: int
    connections: int
    log_bytes: int
    outbox_s: float | None


@dataclass(frozen=True, slots=True)
class Bound:
    """What may be added over the second half: so much, or so large a share of what was usual."""

    most: float
    share: float


# A heap settles late and in steps; a leak of a kilobyte per reading would show as 12 MB in ten minutes.
BOUNDS: Mapping[str, Bound] = {
    "rss_mb": Bound(10.0, 0.10),
    "descriptors": Bound(5.0, 0.10),
    # The pool of connections to the carrier, full or empty as there is much or little to say.
    "connections": Bound(64.0, 0.0),
    "log_bytes": Bound(50_000.0, 1.0),
    "outbox_s": Bound(30.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Growth:
    """What one measure of one process added over the second half of a run."""

    process: str
    measure: str
    usual: float
    added: float
    bound: float

    @property
    def is_too_much(self) -> bool:
        return self.added > self.bound

    def sentence(self) -> str:
        return f"{self.process}: {self.measure} grew by {self.added:.1f} ({self.bound:.1f} at most)"


def growths(samples: Iterable[Sample], since_s: float) -> list[Growth]:
    """Return the growth of every process and measure from ``since_s`` on.

    Raises:
        TooFewSamples: A process was looked at less than six times since then.
    """
    by_process: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.at_s >= since_s:
            by_process.setdefault(sample.process, []).append(sample)
    if not by_process:
        raise TooFewSamples("no process was looked at")
    return [growth for name, seen in by_process.items() for growth in _of_process(name, seen)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of all pairs of points (Theil and Sen): outages and peaks do not bend it."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


def _of_process(name: str, seen: Sequence[Sample]) -> Iterable[Growth]:
    if len(seen) < LEAST_SAMPLES:
        raise TooFewSamples(f"{name} was looked at {len(seen)} times, {LEAST_SAMPLES} are needed")
    if len({sample.pid for sample in seen}) > 1:
        raise TooFewSamples(f"{name} was started again in the half in which growth is looked for")
    span_s = seen[-1].at_s - seen[0].at_s
    for measure, bound in BOUNDS.items():
        points = [(one.at_s, float(value)) for one in seen if (value := getattr(one, measure)) is not None]
        if not points:
            continue
        if len(points) < LEAST_SAMPLES:
            raise TooFewSamples(f"{name} said its {measure} {len(points)} times, {LEAST_SAMPLES} are needed")
        usual = median(value for _, value in points)
        yield Growth(name, measure, usual, slope(points) * span_s, max(bound.most, bound.share * usual))
