"""The four losses and two surpluses of DOORS §4."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

MOST_SAID = 50


@dataclass(slots=True)
class Report:
    """The four losses and two surpluses of DOORS §4, with the first sentences about each.

    Attributes:
        violations: Broken promises beside losses: a warning that lapsed, words that nobody signed.
        matched: For each thing that was due, the carrier's sids that satisfied it.
    """

    lost_readings: int = 0
    lost_verdicts: int = 0
    lost_messages: int = 0
    lost_replies: int = 0
    duplicates: int = 0
    unexpected: int = 0
    incidents: int = 0
    messages: int = 0
    violations: int = 0
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    matched: dict[str, list[str]] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return self.lost_readings + self.lost_verdicts + self.lost_messages + self.lost_replies

    def count(self, what: str, sentence: str, times: int = 1) -> None:
        setattr(self, what, getattr(self, what) + times)
        if len(self.said[what]) < MOST_SAID:
            self.said[what].append(sentence)

    def json(self) -> dict[str, Any]:
        names = (
            "lost_readings lost_verdicts lost_messages lost_replies"
            " duplicates unexpected violations incidents messages"
        )
        counts = {name: getattr(self, name) for name in names.split()}
        return {"schema": "municipio/loss/1", "lost": self.lost, **counts, "said": dict(self.said)}
