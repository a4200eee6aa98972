"""A carrier that takes texts and calls over Twilio's HTTP API and plays the phones behind them."""

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
