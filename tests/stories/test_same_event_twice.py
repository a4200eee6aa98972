"""Whatever comes twice happens once."""

from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.town import Town


def test_a_reading_posted_twice_pages_once(town: Town) -> None:
    """A network that repeats its request is told that we knew, and nobody is rung again."""
    at = town.clock.now()
    first = town.gauge("g-001").sends(2.6, at=at)
    again = town.gauge("g-001").sends(2.6, at=at)
    assert (1, 0, 0, 1) == (first["accepted"], first["duplicates"], again["accepted"], again["duplicates"])
    town.phone("ana").expects_sms("flood").replies("OK {code}")
    assert 1 == incident_of(town)["version"]


EVERY_READER = [
    ("triage", "readings"),
    ("triage", "decisions"),
    ("notify", "incidents"),
    ("notify", "decisions"),
]


def test_records_read_again_do_nothing_again(town: Town) -> None:
    """Lost offsets or a rebalance give everything once more: no text, no version, no decision is new."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    incident = incident_of(town)
    assert "applied" == town.decides("beto", incident["incident_id"], "raise", level=4)
    town.phone("ana").expects_sms("authority", "Impacto").replies("NO {code}")
    town.phone("ana").expects_sms("no sale")
    town.phone("brigada-norte").expects_nothing()
    version = incident_of(town)["version"]
    for consumer, topic in EVERY_READER:
        town.pipe.rewind(consumer, topic)
        town.wait(minutes=10)
        assert version == incident_of(town)["version"]


def test_a_decision_handed_over_twice_is_one(town: Town) -> None:
    """The same decision again gets the same answer and sends nothing again."""
    flood(town).stays_silent()
    decision = town.decision("beto", incident_of(town)["incident_id"], "approve")
    answers = [town.hands_over(decision).json() for _ in range(2)]
    assert ["applied", "applied"] == [answer["ruling"] for answer in answers]
    neighbours(town).expects_sms("warning")


def test_an_answer_delivered_twice_by_the_carrier_is_one(town: Town) -> None:
    """The same SMS of a phone, posted to our webhook again, is answered once."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    town.rows("notify", "UPDATE door_inbox SET processed_at = NULL")
    town.settle()
    town.wait(minutes=5)
