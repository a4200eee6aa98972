"""What happens in a run, all of it drawn from one seed: how rivers rise, who dies when. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

QUIET_M, ACT_M, IMPACT_M = 1.8, 3.1, 3.75


@dataclass(frozen=True, slots=True)
class Kill:
    """``at`` is the share of the load after which the process dies."""

    process: str
    at: float


@dataclass(frozen=True, slots=True)
class Script:
    """One run.

    Attributes:
        series: Values of each gauge, one a round, in metres.
        kills: In order of their time.
        resent: Rounds whose postings are sent a second time.
    """

    seed: int
    series: dict[str, tuple[float, ...]]
    kills: tuple[Kill, ...]
    resent: frozenset[int]

    @property
    def rounds(self) -> int:
        return len(next(iter(self.series.values())))


def script(seed: int, gauges: Sequence[str], rounds: int, processes: Sequence[str], deaths: int) -> Script:
    """Draw a run: every gauge reaches the level of action once, a tenth of them the level of impact.

    Nobody dies a second time before everybody has died once.
    """
    draw = random.Random(f"chaos {seed}")
    dying = islice(cycle(draw.sample(processes, len(processes))), deaths)
    kills = [Kill(process, draw.uniform(0.05, 0.9)) for process in dying]
    return Script(
        seed,
        {gauge: _series(draw, rounds) for gauge in gauges},
        tuple(sorted(kills, key=lambda kill: kill.at)),
        frozenset(draw.sample(range(rounds), rounds // 10)),
    )


def _series(draw: random.Random, rounds: int) -> tuple[float, ...]:
    act = draw.randrange(rounds // 10, rounds * 7 // 10)
    impact = draw.randrange(act + rounds // 10, rounds) if draw.random() < 0.1 else rounds
    levels = (QUIET_M if at < act else ACT_M if at < impact else IMPACT_M for at in range(rounds))
    return tuple(round(level + draw.uniform(-0.05, 0.05), 3) for level in levels)
