"""What texting and calling share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from tests.support.fake_twilio.agenda import Agenda
from tests.support.fake_twilio.clock import Clock
from tests.support.fake_twilio.faults import Faults
from tests.support.fake_twilio.handsets import Handsets
from tests.support.fake_twilio.ledger import Ledger
from tests.support.fake_twilio.settings import CarrierSettings
from tests.support.fake_twilio.webhooks import Webhooks


@dataclass(slots=True)
class Exchange:
    settings: CarrierSettings
    clock: Clock
    agenda: Agenda
    ledger: Ledger
    faults: Faults
    webhooks: Webhooks
    handsets: Handsets = field(default_factory=Handsets)


def new_sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex
