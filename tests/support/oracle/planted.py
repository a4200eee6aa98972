"""A deliberate loss: what an oracle that cannot find it is worth is nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.oracle.evidence import Evidence, replies
from tests.support.oracle.fold import digest, distinct, readings
from tests.support.oracle.folder import Town
from tests.support.oracle.ledger import compare
from tests.support.oracle.report import Report


@dataclass(frozen=True, slots=True)
class Planted:
    """``evidence`` lacks one thing; ``count`` is the name of the number that has to grow."""

    evidence: Evidence
    count: str
    what: str

    def is_found(self, before: Report, town: Town) -> bool:
        """Say whether the oracle sees it."""
        return bool(getattr(compare(self.evidence, town), self.count) > getattr(before, self.count))


def plant_a_loss(evidence: Evidence, town: Town, seed: int) -> Planted:
    """Return the evidence without one reading, change, text or answer, chosen by the seed.

    Chosen among all that were recorded, not among what the oracle is known to see. A text is only taken
    where it was the one that satisfied what was due: of two copies one may go and nothing is lost.

    Raises:
        ValueError: The run recorded nothing that could be lost.
    """
    draw = random.Random(f"loss {seed}")
    ways: list[Callable[[Evidence, Town, random.Random], Planted | None]] = [
        _reading,
        _change,
        _message,
        _answer,
    ]
    draw.shuffle(ways)
    for way in ways:
        planted = way(evidence, town, draw)
        if planted is not None:
            return planted
    raise ValueError("nothing was recorded that could be lost")


def _reading(evidence: Evidence, _town: Town, draw: random.Random) -> Planted | None:
    there = [one for one in distinct(readings(evidence.accepted)) if one.sensor_id in evidence.sensors]
    if not there:
        return None
    gone = draw.choice(there)
    row = evidence.sensors[gone.sensor_id]
    less = {"count": int(row["count"]) - 1, "digest": (int(row["digest"]) - digest(gone)) % 2**64}
    sensors = {**evidence.sensors, gone.sensor_id: less}
    return Planted(
        replace(evidence, sensors=sensors), "lost_readings", f"reading {gone.position} of {gone.sensor_id}"
    )


def _change(evidence: Evidence, _town: Town, draw: random.Random) -> Planted | None:
    rows = [row for row in evidence.changes or () if row.get("kind", "condition") == "condition"]
    if not rows:
        return None
    gone = draw.choice(rows)
    left = [row for row in evidence.changes or () if row is not gone]
    return Planted(
        replace(evidence, changes=left), "lost_verdicts", f"change of {gone['rule']} to {gone['to']}"
    )


def _message(evidence: Evidence, town: Town, draw: random.Random) -> Planted | None:
    alone = sorted(sids[0] for sids in compare(evidence, town).matched.values() if len(sids) == 1)
    if not alone:
        return None
    gone = draw.choice(alone)
    left = [row for row in evidence.ledger if row.get("sid") != gone]
    return Planted(replace(evidence, ledger=left), "lost_messages", f"message {gone}")


def _answer(evidence: Evidence, _town: Town, draw: random.Random) -> Planted | None:
    known = {
        row["to_sid"] if row["channel"] == "voice" else row["answer"] for row in replies(evidence.ledger)
    }
    rows = [row for row in evidence.answers or () if row["sid"] in known]
    if not rows:
        return None
    gone = draw.choice(rows)
    left = [row for row in evidence.answers or () if row is not gone]
    return Planted(replace(evidence, answers=left), "lost_replies", f"answer {gone['sid']}")
