"""What may happen to a town that is soaked."""

from __future__ import annotations

import pytest

from tests.chaos.soak import faults


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_ended_where_growth_is_looked_for(database: str) -> None:
    """The second half draws from all but the deadly faults; none is drawn that the database cannot have."""
    deadly, mild = (set(faults(database, deadly=each)) for each in (True, False))
    assert deadly - mild == {"R1 kill -9", "R2 restart"}
    assert {name for name in mild if name.startswith("R6")} == (
        {"R6 database away", "R6 connections cut"} if database == "postgresql" else set()
    )
    assert {"R3 broker away", "R7 busy", "R8 ambiguous", "R9 down", "R10 callbacks"} <= mild
