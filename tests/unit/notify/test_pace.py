"""A sender's pace: small batches, and one careful message after trouble."""

import pytest

from services.notify.outbound.carrier import Accepted, NotSent, Refused, Throttled, Unknown
from services.notify.outbound.pace import UNKNOWNS_IN_A_ROW, Pace


def pace(per_s: float = 100.0) -> Pace:
    return Pace(per_s, jitter=lambda: 0.0)


@pytest.mark.parametrize(
    ("per_s", "free", "batch"), [(1, 28, 1), (10, 28, 2), (100, 28, 23), (10_000, 28, 28)]
)
def test_a_batch_is_a_quarter_of_a_second(per_s, free, batch):
    """What is claimed cannot be overtaken any more, so it must be little."""
    assert pace(per_s).batch(free) == batch


@pytest.mark.parametrize(
    "outcome", [Throttled(2.0), Throttled(None), NotSent("refused"), Refused(20003, 401)]
)
async def test_after_trouble_one_goes_alone(outcome):
    sender = pace()
    sender.hear(outcome)
    assert sender.is_probing
    assert sender.batch(28) == 1
    assert sender.why
    sender.hear(Accepted("SM1"))
    assert not sender.is_probing
    assert sender.why == ""


async def test_a_refused_number_is_no_trouble_of_the_sender():
    sender = pace()
    sender.hear(Refused(21211, 400))
    assert not sender.is_probing


async def test_single_unknowns_are_no_trouble_but_a_row_of_them_is():
    """Fifteen lost answers in a hundred go on; a carrier that answers nobody is not flooded."""
    sender = pace()
    for _ in range(UNKNOWNS_IN_A_ROW - 1):
        sender.hear(Unknown("HTTP 500"))
    assert not sender.is_probing
    sender.hear(Unknown("HTTP 500"))
    assert sender.is_probing


async def test_many_in_flight_that_meet_the_same_trouble_count_once():
    sender = pace()
    for _ in range(20):
        sender.hear(Throttled(5.0))
    assert sender._troubles == 1


async def test_a_text_longer_than_the_bucket_still_passes():
    """One segment per second and ten segments: slow, never stuck or refused."""
    sender = pace(10_000)
    await sender.take(25_000 / 10)
