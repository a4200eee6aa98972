"""The ledger of time lost, where a warning stands, and a digest that needs no order."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from schemas.events.warnings import Ledger
from schemas.vocabulary import WarningState
from services.console.domain.digest import Digest
from services.console.domain.lost_time import delivered_90_at, steps, total_s
from services.console.domain.standing import Standing, after
from tests.unit.console.rig import START, at


def test_each_step_says_what_it_cost() -> None:
    """Seconds since the step before that was reached, and since the first; unknown is not zero."""
    reached = Ledger(observed_at=at(0), classified_at=at(2), authorised_at=at(5), delivered_90_at=at(7))
    said = {row["step"]: (row["since_previous_s"], row["since_first_s"]) for row in steps(reached)}
    assert said == {
        "observed": (None, 0),
        "received": (None, None),
        "classified": (120, 120),
        "requested": (None, None),
        "authorised": (180, 300),
        "first_accepted": (None, None),
        "delivered_90": (120, 420),
    }
    assert total_s(reached) == 420
    assert total_s(Ledger(observed_at=at(0))) is None


@pytest.mark.parametrize(
    ("arrived", "meant", "minutes"),
    [(9, 10, 8), (8, 10, None), (10, 10, 8), (1, 1, 0), (0, 0, None), (2, 0, None)],
    ids=["nine of ten", "eight of ten", "all", "the only one", "nobody was meant", "meant for none"],
)
def test_nine_tenths_are_of_all_who_were_meant(arrived: int, meant: int, minutes: int | None) -> None:
    """Those who were not heard of count as not reached."""
    moments = [START + timedelta(minutes=each) for each in range(arrived)]
    random.Random(1).shuffle(moments)
    assert delivered_90_at(moments, meant) == (at(minutes) if minutes is not None else None)


IN_FORCE = Standing(WarningState.AUTHORISED, 2)


@pytest.mark.parametrize(
    ("before", "kind", "state", "expected"),
    [
        (None, "warning.requested", WarningState.REQUESTED, Standing(WarningState.REQUESTED, None)),
        (None, "warning.authorised", WarningState.AUTHORISED, Standing(WarningState.AUTHORISED, 3)),
        (IN_FORCE, "warning.requested", WarningState.REQUESTED, IN_FORCE),
        (IN_FORCE, "warning.corrected", WarningState.AUTHORISED, Standing(WarningState.AUTHORISED, 3)),
        (IN_FORCE, "warning.lifted", WarningState.LIFTED, Standing(WarningState.LIFTED, None)),
    ],
    ids=["asked", "in force", "renewal asked", "corrected", "lifted"],
)
def test_warning_stands_where_its_last_answer_left_it(
    before: Standing | None, kind: str, state: WarningState, expected: Standing
) -> None:
    """Only an answer moves a warning that is in force."""
    assert after(before, kind, 3, state) == expected


def test_digest_knows_no_order_and_sees_every_change() -> None:
    """Rows may be read in any order; one letter more is another digest."""
    rows = [{"id": str(index), "at": at(index), "body": {"b": 1, "a": None}} for index in range(5)]

    def of(rows: list[dict[str, object]]) -> tuple[int, str]:
        digest = Digest()
        for row in rows:
            digest.add(row)
        return digest.count, digest.hex

    assert of(rows) == of(rows[::-1])
    assert of(rows) != of([*rows[:-1], {**rows[-1], "id": "x"}])
    assert of(rows) != of([*rows, rows[0]])
    with pytest.raises(TypeError):
        of([{"id": object()}])
