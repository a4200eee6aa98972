"""How this carrier behaves when nothing goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_ACCOUNT = "AC" + "0" * 32
DEFAULT_TOKEN = "a-token-that-opens-nothing"


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """Rates and patience.

    Attributes:
        segments_per_s: What one sender sends; a text waits in its sender's queue for its turn.
        deliver_s: From ``sent`` to ``delivered``.
        message_in: Webhook that takes replies. Empty: replies are kept in the ledger, nobody is told.
        service_numbers: Number that stands for each Messaging Service; any other gets a made-up one.
        callback_attempts: How often one status is posted while the connection fails (Twilio: 2).
        answer_attempts: How often a reply or digits are posted until the webhook answers 2xx.
        answer_pause_s: Real seconds between those.
        read_timeout_s: How long a webhook may take to answer (Twilio: 15).
        ring_s: How long a phone that answers rings before.
    """

    account_sid: str = DEFAULT_ACCOUNT
    auth_token: str = DEFAULT_TOKEN
    segments_per_s: float = 1000.0
    deliver_s: float = 0.05
    message_in: str = ""
    service_numbers: Mapping[str, str] = field(default_factory=dict)
    callback_attempts: int = 2
    answer_attempts: int = 60
    answer_pause_s: float = 0.5
    read_timeout_s: float = 15.0
    ring_s: float = 0.2

    def number_of(self, service: str) -> str:
        return self.service_numbers.get(service, "+15550" + f"{int(service[2:], 16) % 10**6:06d}")
