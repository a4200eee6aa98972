"""Settings that all processes share, from ``MUNICIPIO_*`` and, for secrets, ``MUNICIPIO_*_FILE``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.runtime.errors import WrongSetting

PREFIX = "MUNICIPIO_"


class RuntimeSettings(BaseSettings):
    """What every service reads; a service's own settings subclass it.

    Attributes:
        database_url: One server for all services; each has its own schema and should have its own role.
        town_clock_file: The clock that all services follow; absent means the real one.
        slot: Number of this replica. No two live processes of a service may have the same.
        relay: Whether the relay runs inside the service or as a process of its own.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    environment: Literal["development", "production"] = "development"
    kafka_bootstrap: str = "127.0.0.1:9092"
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


def read_settings(kind: type[S]) -> S:
    """Return the settings.

    Raises:
        WrongSetting: One line that names the first setting that is absent or wrong, never its value.
    """
    try:
        return kind()
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False, include_input=False)[0]
        name = PREFIX + "_".join(str(step) for step in first["loc"][:1]).upper()
        raise WrongSetting(f"{name}: {first['msg']}") from None


def load(kind: type[S]) -> S:
    """Return the settings, or print one line naming the wrong one and end the process with 2."""
    try:
        return read_settings(kind)
    except WrongSetting as err:
        sys.stderr.write(f"{err}\n")
        raise SystemExit(2) from None
