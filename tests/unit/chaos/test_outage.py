"""What may be answered while the database is away."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.r6 import broken_promises


def test_an_outage_in_which_every_promise_was_kept() -> None:
    """Refused with 503 and when to come back, phones heard, all in order soon after."""
    assert broken_promises(Counter({503: 40}), 0, 12, 3.5) == []


@pytest.mark.parametrize(
    ("answered", "bare", "said", "recovered_s", "names"),
    [
        pytest.param({503: 40, 202: 1}, 0, 12, 3.5, "202", id="a false yes"),
        pytest.param({503: 40, 0: 2}, 0, 12, 3.5, "0", id="a door that does not answer"),
        pytest.param({}, 0, 12, 3.5, "503", id="nobody asked"),
        pytest.param({503: 40}, 3, 12, 3.5, "Retry-After", id="no word on when to come back"),
        pytest.param({503: 40}, 0, 0, 3.5, "no phone", id="no phone answered"),
        pytest.param({503: 40}, 0, 12, None, "in order", id="never whole again"),
    ],
)
def test_a_broken_promise_is_named(
    answered: dict[int, int], bare: int, said: int, recovered_s: float | None, names: str
) -> None:
    """One sentence that says what was found."""
    (sentence,) = broken_promises(Counter(answered), bare, said, recovered_s)
    assert names in sentence
