"""A river that goes on rising makes an open question stale: nobody approves what is no longer so."""

from tests.stories.scenes import flood, incident_of, neighbours, warning_of
from tests.support.town import Town


def test_a_higher_level_voids_the_request_and_asks_afresh(town: Town) -> None:
    """From level 3 to 4 the old code is worth nothing and new words are asked for."""
    old = flood(town)
    town.wait(minutes=1)
    town.gauge("g-001").sends(3.7)
    new = town.phone("ana").expects_sms("authority", "Impacto", "techo firme")
    old.replies("SI {code}")
    town.phone("ana").expects_sms("versión nueva")
    neighbours(town).expects_nothing()
    new.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("techo firme")
    assert 4 == warning_of(town)["level"]
    town.wait(hours=1)


def test_a_new_zone_voids_the_request_and_asks_afresh(town: Town) -> None:
    """A second zone of the same flood: the words of both are asked for, and each hears of its own."""
    old = flood(town)
    assert "applied" == town.decides("ana", incident_of(town)["incident_id"], "reject")
    assert "rejected" == warning_of(town)["state"]
    old.stays_silent()


def test_more_evidence_alone_voids_nothing(town: Town) -> None:
    """Another reading of the same level leaves the question as it is."""
    question = flood(town)
    town.wait(minutes=1)
    town.gauge("g-001-b").sends(3.2)
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")


def test_a_decision_for_a_version_that_is_gone_is_refused(town: Town) -> None:
    """Who decides on what they saw a while ago is told to look again."""
    flood(town).stays_silent()
    seen = incident_of(town)["version"]
    town.gauge("g-001").sends(3.7)
    town.phone("ana").expects_sms("authority", "Impacto").stays_silent()
    decision = town.decision("beto", incident_of(town)["incident_id"], "approve", version=seen)
    answer = town.hands_over(decision).json()
    assert ("refused", "decision.version_gone") == (answer["ruling"], answer["reasons"][0]["code"])
    neighbours(town).expects_nothing()
