"""What sender, carrier and webhook door read from the environment. Notify's own settings extend it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from services.runtime.settings import RuntimeSettings


class CarrierSettings(RuntimeSettings):
    """Account, addresses and paces of the carrier.

    Attributes:
        twilio_auth_token_previous: Still accepted in webhook signatures while tokens are rotated.
        twilio_api_base: Scheme and host instead of the carrier's own; the fake carrier in development.
        public_url: The address under which the carrier reaches the webhook door; signatures are checked
            against it, never against what a request says of itself.
        allow_numbers: Numbers that may be reached outside production with the true carrier.
        sms_segments_per_s: What the sender's contract allows; we stay slightly under it.
        calls_per_s: The same for calls.
        in_flight_max: Requests to the carrier at the same time, per town.
        unresolved_after_s: Real seconds that an unknown outcome waits for a callback before the list is read.
        list_patience_s: Real seconds after an attempt for which its unknown outcome is asked about.
        poll_after_s: Real seconds after which a message that nobody spoke of is asked for.
    """

    uses_kafka: ClassVar[bool] = False

    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_auth_token_previous: SecretStr | None = None
    twilio_api_base: str | None = None
    public_url: str = "http://127.0.0.1:8083"
    allow_numbers: Annotated[frozenset[str], NoDecode] = frozenset()
    sms_segments_per_s: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    calls_per_s: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    in_flight_max: Annotated[int, Field(ge=4, le=256)] = 32
    carrier_timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    unresolved_after_s: Annotated[float, Field(ge=0, le=600)] = 20.0
    list_patience_s: Annotated[float, Field(ge=0, le=600)] = 120.0
    poll_after_s: Annotated[float, Field(ge=0, le=3_600)] = 60.0

    @field_validator("allow_numbers", mode="before")
    @classmethod
    def _numbers(cls, said: Any) -> Any:
        """Read a comma-separated list."""
        return (
            frozenset(part.strip() for part in said.split(",") if part.strip())
            if isinstance(said, str)
            else said
        )

    @field_validator("public_url", "twilio_api_base")
    @classmethod
    def _address(cls, said: str | None) -> str | None:
        if said is not None and not said.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return said.rstrip("/") if said else None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The present token first, then the previous one while it is still accepted."""
        said = (self.twilio_auth_token, self.twilio_auth_token_previous)
        return tuple(token.get_secret_value() for token in said if token and token.get_secret_value())
