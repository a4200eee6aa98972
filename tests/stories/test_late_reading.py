"""A reading that arrives late may raise the level, never lower it, and says why."""

from datetime import timedelta

from tests.stories.scenes import incident_of
from tests.support.town import Town


def test_a_late_high_reading_raises_with_its_reason(town: Town) -> None:
    """The radio link was down for ten minutes: the peak it kept is still worth a page."""
    gauge = town.gauge("g-001")
    gauge.reads(2.0, 2.1)
    peak_at = town.clock.now() - timedelta(minutes=3)
    town.wait(minutes=20)
    gauge.sends(2.0)
    town.wait(minutes=20)
    gauge.sends(2.0)
    gauge.sends(2.6, at=peak_at)
    town.phone("ana").expects_sms("flood", "2.6 m").replies("OK {code}")
    incident = incident_of(town)
    assert 2 == incident["level"]
    assert any("tarde" in reason["text"] for reason in incident["reasons"]), incident["reasons"]
    town.wait(hours=1)


def test_a_late_low_reading_lowers_nothing(town: Town) -> None:
    """An old low reading neither lowers the level nor wakes anybody."""
    gauge = town.gauge("g-001")
    gauge.reads(1.0)
    town.wait(minutes=40)
    gauge.sends(2.6)
    town.phone("ana").expects_sms("flood").replies("OK {code}")
    before = incident_of(town)
    gauge.sends(1.0, at=town.clock.now() - timedelta(minutes=30))
    town.wait(minutes=30)
    after = incident_of(town)
    assert (2, before["version"]) == (after["level"], after["version"])
