"""Settings that all processes share, from ``MUNICIPIO_*`` and, for secrets, ``MUNICIPIO_*_FILE``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.runtime.errors import WrongSetting
from services.runtime.kafka_access import KafkaAccess, Mechanism, Security

PREFIX = "MUNICIPIO_"


class RuntimeSettings(BaseSettings):
    """What every service reads; a service's own settings subclass it.

    Attributes:
        uses_kafka: Whether the process speaks to the broker itself, and so must say who it is.
        kafka_username: The principal of this service; needed where ``kafka_security`` is SASL.
        kafka_replicas: Copies of each topic that is created; absent, as many as there are brokers, up to 3.
        database_url: One server for all services; each has its own schema and should have its own role.
        town_clock_file: The clock that all services follow; absent means the real one.
        slot: Number of this replica. No two live processes of a service may have the same.
        relay: Whether the relay runs inside the service or as a process of its own.
        outbox_kept_hours: How long a published record can still be published again.
        dead_letters_days: How long a refused record waits for a person's answer.
    """

    uses_kafka: ClassVar[bool] = True

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    environment: Literal["development", "production"] = "development"
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security: Security = "PLAINTEXT"
    kafka_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: SecretStr | None = None
    kafka_ca_path: Path | None = None
    kafka_replicas: int | None = Field(default=None, ge=1, le=9)
    database_url: SecretStr | None = None
    ingest_database_url: SecretStr | None = None
    triage_database_url: SecretStr | None = None
    notify_database_url: SecretStr | None = None
    console_database_url: SecretStr | None = None
    data_dir: Path = Path("var/data")
    municipalities_dir: Path = Path("deploy/municipalities")
    keys_dir: Path | None = None
    town_clock_file: Path | None = None
    admin_token: SecretStr | None = None
    slot: int = Field(default=0, ge=0, le=999)
    relay: Literal["inside", "outside"] = "inside"
    outbox_kept_hours: int = Field(default=48, ge=1)
    dead_letters_days: int = Field(default=365, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    console_host: str = "127.0.0.1"
    console_port: int = Field(default=8080, ge=0, le=65535)
    ingest_host: str = "127.0.0.1"
    ingest_port: int = Field(default=8081, ge=0, le=65535)
    triage_host: str = "127.0.0.1"
    triage_port: int = Field(default=8082, ge=0, le=65535)
    door_host: str = "127.0.0.1"
    door_port: int = Field(default=8083, ge=0, le=65535)
    notify_host: str = "127.0.0.1"
    notify_port: int = Field(default=8084, ge=0, le=65535)
    console_url: str = "http://127.0.0.1:8080"
    ingest_url: str = "http://127.0.0.1:8081"
    triage_url: str = "http://127.0.0.1:8082"
    door_url: str = "http://127.0.0.1:8083"
    notify_url: str = "http://127.0.0.1:8084"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def keys_path(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    @property
    def kafka(self) -> KafkaAccess:
        """Return how this process reaches Kafka.

        Raises:
            WrongSetting: The cluster asks who we are and nothing was set to answer.
        """
        password = self.kafka_password.get_secret_value() if self.kafka_password else ""
        access = KafkaAccess(
            self.kafka_bootstrap,
            self.kafka_security,
            self.kafka_mechanism,
            self.kafka_username,
            password,
            self.kafka_ca_path,
        )
        for name, given in (("USERNAME", access.username), ("PASSWORD", password)):
            if access.is_sasl and not given:
                why = f"is required where {PREFIX}KAFKA_SECURITY is {access.security}"
                raise WrongSetting(f"{PREFIX}KAFKA_{name}: {why}")
        if access.ca_path is not None and not access.ca_path.is_file():
            raise WrongSetting(f"{PREFIX}KAFKA_CA_PATH: no such file: {access.ca_path}")
        return access

    def database_url_of(self, service: str) -> str:
        """Return the URL of a service's database: its own, the shared server's, else a file."""
        own: SecretStr | None = getattr(self, f"{service}_database_url", None)
        chosen = own or self.database_url
        if chosen is not None:
            return chosen.get_secret_value()
        return f"sqlite:///{self.data_dir / service}.sqlite"

    def address_of(self, service: str) -> tuple[str, int]:
        """Return host and port on which a service listens."""
        return getattr(self, f"{service}_host"), getattr(self, f"{service}_port")

    def require_admin_token(self) -> str:
        """Return the token of ``/admin``, or say that it is missing."""
        if self.admin_token is None or not self.admin_token.get_secret_value():
            raise WrongSetting("MUNICIPIO_ADMIN_TOKEN: is required")
        return self.admin_token.get_secret_value()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads ``MUNICIPIO_X_FILE`` for a setting ``X`` that the environment does not give."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as err:
            raise WrongSetting(f"{PREFIX}{field_name.upper()}_FILE: cannot be read: {err}") from err

    def __call__(self) -> dict[str, Any]:
        read = (
            (name, self.get_field_value(f, name)[0]) for name, f in self.settings_cls.model_fields.items()
        )
        return {name: value for name, value in read if value is not None}


S = TypeVar("S", bound=RuntimeSettings)


def read_settings(kind: type[S], given: Mapping[str, Any] | None = None) -> S:
    """Return the settings; what is ``given`` by its field's name wins over the environment.

    Raises:
        WrongSetting: One line that names the first setting that is absent or wrong, never its value.
    """
    try:
        settings = kind(**given or {})
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False, include_input=False)[0]
        name = PREFIX + "_".join(str(step) for step in first["loc"][:1]).upper()
        raise WrongSetting(f"{name}: {first['msg']}") from None
    if kind.uses_kafka:
        _ = settings.kafka  # Two settings that do not go together stop the start, too.
    return settings


def load(kind: type[S]) -> S:
    """Return the settings, or print one line naming the wrong one and end the process with 2."""
    try:
        return read_settings(kind)
    except WrongSetting as err:
        sys.stderr.write(f"{err}\n")
        raise SystemExit(2) from None
