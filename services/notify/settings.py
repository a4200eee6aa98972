"""What notify reads from the environment, beside carrier and runtime."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar, Final

from pydantic import Field, SecretStr, field_validator

from services.notify.carrier_settings import CarrierSettings
from services.runtime.errors import WrongSetting

SERVICE: Final = "notify"
_KEY_BYTES: Final = 32


class NotifySettings(CarrierSettings):
    """Settings of notify.

    Attributes:
        phone_key: Base64 of the 32 bytes that seal phone numbers; lost, every number must be imported again.
        incidents_max_records: Records of ``incidents`` in one batch; each is a transaction of its own.
        answers_kept_days: How long the words of an answer are kept; what was made of it stays.
        messages_kept_days: How long the fate of each message is kept, and the words it carried.
        former_people_days: How long after its last import the number of who left the directory is kept.
    """

    uses_kafka: ClassVar[bool] = True

    phone_key: SecretStr = SecretStr("")
    incidents_max_records: int = Field(default=20, ge=1, le=2000)
    answers_kept_days: int = Field(default=90, ge=1)
    messages_kept_days: int = Field(default=730, ge=1)
    former_people_days: int = Field(default=365, ge=1)

    @field_validator("phone_key")
    @classmethod
    def _whole(cls, said: SecretStr) -> SecretStr:
        if said.get_secret_value() and len(_decoded(said)) != _KEY_BYTES:
            raise ValueError("must be the base64 of 32 bytes")
        return said

    def require_phone_key(self) -> bytes:
        """Return the key, or say that it is missing."""
        if not self.phone_key.get_secret_value():
            raise WrongSetting("MUNICIPIO_PHONE_KEY: is required")
        return _decoded(self.phone_key)


def _decoded(said: SecretStr) -> bytes:
    try:
        return base64.b64decode(said.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        return b""
