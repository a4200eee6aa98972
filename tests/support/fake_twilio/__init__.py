"""A carrier that takes texts and calls over Twilio's HTTP API and plays the phones behind them.

As a process: ``python -m tests.support.fake_twilio --port 8090 --message-in URL --ledger FILE``. In a test:

    carrier = FakeCarrier(CarrierSettings(message_in=…), clock=HandClock(lambda: town.now))
    async with carrier.serving() as base_url: …       # real HTTP on a free port of this loop
    await carrier.settle()                            # all that is due by now; due_in_s() says when next

Doors for tests, JSON in and out:

- ``POST /_control/phones`` ``{"pattern": "\\+503.*", "on": true, "call": {"answered_by": "human",
  "after_ms": 2000, "press": ["1"]}, "sms": [{"match": "SI (\\d{4})", "answer": "SI \\1",
  "after_ms": 500, "times": 1}]}``, or
  ``{"rules": [...]}``; the last rule that fits a number holds. Phones are silent unless told otherwise.
- ``POST /_control/faults`` any fields of ``FaultPlan``; ``POST /_control/webhooks`` ``{"message_in": URL}``.
- ``POST /_control/say`` ``{"phone", "words", "to"?, "after_s"?}``; ``POST /_control/answer``
  ``{"call", "press"?}``.
- ``GET /_control`` shows all of it, what is due and how busy it is; ``DELETE`` drops rules and faults.
- ``GET /_ledger?after=&limit=`` entries in order; ``GET /_ledger/phones`` each text and how many times;
  ``DELETE /_ledger`` forgets. ``GET /phones.json`` the phones.

Doors for people: ``GET /phones``, a page of phones that ring and answer. It reads ``GET /_events``, the
ledger as server-sent events that resume at ``Last-Event-ID``, and says ``POST /_control/say``,
``/_control/call`` ``{"call", "do": "pick_up" | "press" | "hang_up", "keys"?}`` and ``/_control/switch``
``{"phone", "on"}``.
``--people FILE`` names the phones; ``--town FILE`` and the services' addresses and administrator's token in
the environment let the page show river, level and town clock (``GET /_town``); the token stays here.
"""

from tests.support.fake_twilio.carrier import FakeCarrier
from tests.support.fake_twilio.clock import HandClock, RealClock, TownFileClock
from tests.support.fake_twilio.faults import FaultPlan
from tests.support.fake_twilio.handsets import Behaviour, CallManner, Reply
from tests.support.fake_twilio.posting import AppPoster, HttpPoster
from tests.support.fake_twilio.settings import CarrierSettings

__all__ = [
    "AppPoster",
    "Behaviour",
    "CallManner",
    "CarrierSettings",
    "FakeCarrier",
    "FaultPlan",
    "HandClock",
    "HttpPoster",
    "RealClock",
    "Reply",
    "TownFileClock",
]
