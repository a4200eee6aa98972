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


def access(bootstrap: str, told: Mapping[str, str] | None = None, logins: Path | None = None) -> KafkaAccess:
    """Return the access that the environment and ``told`` describe; ``logins`` holds the passwords.

    Raises:
        WrongUse: The cluster asks who we are and nothing was set to answer.
    """
    given = {"kafka_bootstrap": bootstrap}
    if logins is not None:
        given |= {"kafka_username": KEEPER, "kafka_password": (logins / KEEPER).read_text().strip()}
    return _settings(told or {}, given).kafka


def replicas(told: Mapping[str, str]) -> int | None:
    """Return how many copies of a topic the environment and ``told`` ask for."""
    return _settings(told, {}).kafka_replicas


def _settings(told: Mapping[str, str], given: Mapping[str, str]) -> RuntimeSettings:
    prefix = PREFIX + "KAFKA_"
    of_kafka = {
        name.removeprefix(PREFIX).lower(): value for name, value in told.items() if name.startswith(prefix)
    }
    try:
        return read_settings(RuntimeSettings, {**of_kafka, **given})
    except WrongSetting as err:
        raise WrongUse(str(err)) from err
