"""How the programs of this package reach Kafka: as the principal that keeps the topics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from municipio.errors import WrongUse
from services.runtime.errors import WrongSetting
from services.runtime.kafka_access import KafkaAccess
from services.runtime.settings import PREFIX, RuntimeSettings, read_settings

KEEPER: Final = "municipio"
"""The principal that creates topics and sees how far they were read; it reads and writes no record."""


def settings_of(
    bootstrap: str, told: Mapping[str, str] | None = None, logins: Path | None = None
) -> RuntimeSettings:
    """Return what the environment and ``told`` say of the cluster; ``logins`` holds the passwords.

    Raises:
        WrongUse: The cluster asks who we are and nothing was set to answer.
    """
    prefix = PREFIX + "KAFKA_"
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in (told or {}).items()
        if name.startswith(prefix)
    }
    given["kafka_bootstrap"] = bootstrap
    if logins is not None:
        given |= {"kafka_username": KEEPER, "kafka_password": (logins / KEEPER).read_text().strip()}
    try:
        return read_settings(RuntimeSettings, given)
    except WrongSetting as err:
        raise WrongUse(str(err)) from err


def access(bootstrap: str) -> KafkaAccess:
    """Return how the cluster that the environment describes is reached."""
    return settings_of(bootstrap).kafka
