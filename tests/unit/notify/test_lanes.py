"""What leaves first, and until when it is worth leaving."""

from __future__ import annotations

from datetime import timedelta

from schemas.vocabulary import Level, Purpose
from services.notify.domain.lanes import expires_at, lane_of
from tests.unit.notify.domain_rig import NOW


def test_people_on_duty_first_then_corrections_then_warnings_by_danger() -> None:
    order = [
        lane_of(Purpose.PAGE),
        lane_of(Purpose.CORRECTION),
        lane_of(Purpose.WARNING, Level.IMPACT),
        lane_of(Purpose.WARNING, Level.ACT),
        lane_of(Purpose.LIFT),
    ]
    assert order == sorted(set(order))
    assert lane_of(Purpose.AUTHORITY) == lane_of(Purpose.REPLY) == lane_of(Purpose.TASK) == order[0]


def test_message_never_outlives_what_it_says() -> None:
    soon = NOW + timedelta(minutes=10)
    assert expires_at(Purpose.WARNING, NOW, soon) == soon
    assert expires_at(Purpose.WARNING, NOW, NOW + timedelta(hours=4)) == NOW + timedelta(hours=1)
    assert expires_at(Purpose.CORRECTION, NOW, soon) == NOW + timedelta(hours=6)
