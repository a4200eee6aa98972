"""A coordinator who does not answer a text is called, and then the next person is woken."""

from tests.support.town import Town


def test_unanswered_sms_becomes_a_call(town: Town) -> None:
    """Silence escalates: text, call, next person; an answer ends it."""
    town.gauge("g-001").reads(2.6)
    ana = town.phone("ana")
    ana.expects_sms("flood").stays_silent()
    print(town.incidents(), [e for e in town.carrier.ledger.entries])
    town.wait(minutes=5)
    for e in town.carrier.ledger.entries:
        print(e)
