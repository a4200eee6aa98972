"""A wrong setting stops the start with one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from services.runtime.errors import WrongSetting
from services.runtime.settings import RuntimeSettings, load, read_settings


class _Settings(RuntimeSettings):
    phone_key: SecretStr
    rate: int = Field(default=1, ge=1)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("MUNICIPIO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MUNICIPIO_PHONE_KEY", "hush")


def test_defaults_are_for_development() -> None:
    """Everything on this machine, SQLite files of its own for each service."""
    settings = read_settings(_Settings)
    assert not settings.is_production
    assert settings.database_url_of("triage") == "sqlite:///var/data/triage.sqlite"
    assert settings.address_of("ingest") == ("127.0.0.1", 8081)
    assert settings.keys_path == Path("var/data/keys")


def test_a_services_own_database_overrides_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others keep the shared server."""
    monkeypatch.setenv("MUNICIPIO_DATABASE_URL", "postgresql://shared/town")
    monkeypatch.setenv("MUNICIPIO_NOTIFY_DATABASE_URL", "postgresql://own/town")
    settings = read_settings(_Settings)
    assert settings.database_url_of("notify") == "postgresql://own/town"
    assert settings.database_url_of("triage") == "postgresql://shared/town"


@pytest.mark.parametrize(
    ("name", "value"),
    [("RATE", "0"), ("RATE", "many"), ("ENVIRONMENT", "staging"), ("SLOT", "-1"), ("INGEST_PORT", "99999")],
)
def test_a_wrong_setting_is_named_in_one_line(monkeypatch, capsys, name: str, value: str) -> None:
    """Exit 2; the value is not repeated, it may be a secret."""
    monkeypatch.setenv(f"MUNICIPIO_{name}", value)
    with pytest.raises(SystemExit) as ended:
        load(_Settings)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(f"MUNICIPIO_{name}: ")
    assert said.count("\n") == 1


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Required means required."""
    monkeypatch.delenv("MUNICIPIO_PHONE_KEY")
    with pytest.raises(WrongSetting, match=r"^MUNICIPIO_PHONE_KEY: Field required"):
        read_settings(_Settings)


def test_secrets_may_stand_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trailing newlines are not part of a secret; the variable itself wins over the file."""
    path = tmp_path / "secret"
    path.write_text("from-file\n")
    monkeypatch.setenv("MUNICIPIO_ADMIN_TOKEN_FILE", str(path))
    monkeypatch.setenv("MUNICIPIO_PHONE_KEY_FILE", str(path))
    settings = read_settings(_Settings)
    assert settings.require_admin_token() == "from-file"
    assert settings.phone_key.get_secret_value() == "hush"
    assert "from-file" not in repr(settings)


def test_a_secret_file_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the path, because that is what is wrong."""
    monkeypatch.setenv("MUNICIPIO_ADMIN_TOKEN_FILE", "/nonexistent/token")
    with pytest.raises(WrongSetting, match=r"MUNICIPIO_ADMIN_TOKEN_FILE: .*/nonexistent/token"):
        read_settings(_Settings)


def test_the_administrators_token_is_asked_for_when_needed() -> None:
    """A process without admin routes starts without it."""
    with pytest.raises(WrongSetting, match="MUNICIPIO_ADMIN_TOKEN"):
        read_settings(_Settings).require_admin_token()
