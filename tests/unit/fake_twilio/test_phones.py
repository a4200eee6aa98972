"""The language of stories."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.fake_twilio import CarrierSettings, FakeCarrier, HandClock
from tests.support.fake_twilio.checks import call_order, message_order
from tests.support.phones import Phones, Unexpected
from tests.unit.fake_twilio.conftest import ANA, BETO, DOOR, SENDER, Door, Now

ASK = (
    '<Response><Gather numDigits="1" action="http://door.test/p"><Say>El río crece.</Say></Gather></Response>'
)


class Story:
    """A carrier and phones without a town; the test plays the town."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.now, self.door = Now(), Door()
        settings = CarrierSettings(message_in=f"{DOOR}/in", answer_attempts=2)
        self.carrier = FakeCarrier(settings, clock=HandClock(self.now), poster=self.door)
        self.phones = Phones(self.carrier, lambda: runner.run(self._settle()))

    async def _settle(self) -> None:
        await self.carrier.settle()

    def text(self, to: str, body: str) -> None:
        self.carrier.texting.accept(message_order({"To": [to], "From": [SENDER], "Body": [body]}))

    def ring(self, to: str, **more: str) -> None:
        form = {"To": to, "From": SENDER, **(more or {"Twiml": ASK})}
        self.carrier.calling.accept(call_order({name: [value] for name, value in form.items()}))


@pytest.fixture
def story() -> Story:
    with asyncio.Runner() as runner:
        yield Story(runner)


def test_silence_then_a_call_is_a_story(story: Story) -> None:
    """A text ignored, a call answered with a digit: nothing is left over."""
    story.door.answers[f"{DOOR}/p"] = "<Response><Say>Gracias.</Say></Response>"
    story.text(ANA, "Crecida en La Vega. Responda SI 4711")
    story.phones[ANA].expects_sms("flood", "la vega").stays_silent()
    story.ring(ANA)
    story.phones[ANA].expects_call("flood").presses("1")
    assert [fields["Digits"] for url, fields, _ in story.door.posts if url.endswith("/p")] == ["1"]
    story.phones.nothing_else()


def test_reply_carries_the_code_of_the_text(story: Story) -> None:
    """``{code}`` is what the text asks for."""
    story.text(ANA, "Responda SI 4711 o PASO 4711")
    story.phones[ANA].expects_sms("authority").replies("SI {code}")
    assert [fields["Body"] for url, fields, _ in story.door.posts if url.endswith("/in")] == ["SI 4711"]
    story.phones.nothing_else()


def test_unexpected_text_fails_the_story(story: Story) -> None:
    """What no sentence spoke of fails at the end, and says to whom it came."""
    story.text(BETO, "hola")
    with pytest.raises(Unexpected, match=r"50370000002 sms: hola"):
        story.phones.nothing_else()


def test_one_text_satisfies_one_sentence(story: Story) -> None:
    """Two sentences need two texts; a repeat is unexpected."""
    story.text(ANA, "hola")
    story.phones[ANA].expects_sms("hola")
    with pytest.raises(Unexpected, match="got:\nnothing"):
        story.phones[ANA].expects_sms("hola")


def test_missing_words_show_what_came(story: Story) -> None:
    """A failed expectation shows the texts that were there."""
    story.text(ANA, "hola")
    with pytest.raises(Unexpected, match=r"expected a text with flood and got:\n.*hola"):
        story.phones[ANA].expects_sms("flood")


def test_wrong_words_of_a_call_fail_once_heard(story: Story) -> None:
    """Where the words come from a URL they are compared when they are heard."""
    story.door.answers[f"{DOOR}/v"] = "<Response><Say>Otra cosa.</Say></Response>"
    story.ring(ANA, Url=f"{DOOR}/v")
    ringing = story.phones[ANA].expects_call("flood")
    with pytest.raises(Unexpected, match="Otra cosa"):
        ringing.is_heard()


def test_call_that_rang_out_cannot_be_answered(story: Story) -> None:
    """A call answers only while it rings."""
    story.ring(ANA)
    ringing = story.phones[ANA].expects_call()
    story.now.pass_s(61)
    story.phones.pump()
    with pytest.raises(Unexpected, match="does not ring"):
        ringing.presses("1")


def test_reply_that_nobody_took_fails_the_story(story: Story) -> None:
    """An answer that the webhook never took is a loss, and stories see it."""
    story.text(ANA, "hola")
    story.door.fails = [503] * 9
    story.phones[ANA].expects_sms().replies("OK")
    with pytest.raises(Unexpected, match="did not take"):
        story.phones.nothing_else()


def test_group_expects_the_same(story: Story) -> None:
    """All phones of a group got it; one that did not is named."""
    story.text(ANA, "Salga YA")
    with pytest.raises(Unexpected, match=r"50370000002 expected"):
        story.phones.of(ANA, BETO).expects_sms("warning")
