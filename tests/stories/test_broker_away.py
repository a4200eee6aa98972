"""With Kafka down nothing is lost, and whoever was asked can still answer."""

from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.town import Town


def test_readings_accepted_while_the_broker_is_away_all_arrive(town: Town) -> None:
    """The door says yes and keeps its word: the flood is told as soon as the broker is back, once."""
    town.pipe.is_down = True
    for metres in (1.0, 2.6, 3.1):
        town.gauge("g-001").sends(metres)
        town.wait(minutes=5)
    town.phone("ana").expects_nothing()
    town.pipe.is_down = False
    town.phone("ana").expects_sms("authority").replies("NO {code}")
    town.phone("ana").expects_sms("no sale")
    town.phone("brigada-norte").expects_sms("Perifonear")
    assert (3, 1) == (incident_of(town)["level"], incident_of(town)["corroboration"])


def test_an_answer_needs_no_broker(town: Town) -> None:
    """The broker dies after the question: the yes is heard and the warning leaves at once."""
    question = flood(town)
    town.pipe.is_down = True
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    town.wait(minutes=10)
    town.pipe.is_down = False
    town.settle()
    assert 1 == len(list(town.pipe.of_type("warning.authorised")))


def test_silence_escalates_without_a_broker(town: Town) -> None:
    """Due times are rows of notify's own: calls and safe release come at their second."""
    flood(town).stays_silent()
    town.pipe.is_down = True
    town.wait(minutes=3)
    town.phone("ana").expects_call("flood").stays_silent()
    neighbours(town).expects_sms("warning")
    town.pipe.is_down = False
    town.wait(minutes=30)
