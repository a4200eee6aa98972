"""A process says to Kafka what it was told to say, and its password to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.runtime.errors import WrongSetting
from services.runtime.kafka import kafka_broker
from services.runtime.kafka_access import KafkaAccess
from services.runtime.settings import RuntimeSettings, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECURITY", "MECHANISM", "USERNAME", "PASSWORD", "PASSWORD_FILE", "CA_PATH"):
        monkeypatch.delenv(f"MUNICIPIO_KAFKA_{name}", raising=False)


def test_on_one_machine_nobody_is_asked() -> None:
    """The default is the broker that `municipio up` starts on loopback."""
    access = read_settings(RuntimeSettings).kafka
    assert {"bootstrap_servers": access.bootstrap, "security_protocol": "PLAINTEXT"} == access.client()
    assert access.faststream() is None


def test_a_principal_comes_from_the_environment_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both kinds of client are told the same; the password is not in any words about it."""
    (tmp_path / "password").write_text("hush\n")
    monkeypatch.setenv("MUNICIPIO_KAFKA_SECURITY", "SASL_PLAINTEXT")
    monkeypatch.setenv("MUNICIPIO_KAFKA_USERNAME", "triage")
    monkeypatch.setenv("MUNICIPIO_KAFKA_PASSWORD_FILE", str(tmp_path / "password"))
    access = read_settings(RuntimeSettings).kafka
    told = access.client()
    assert ("SCRAM-SHA-512", "triage", "hush") == (
        told["sasl_mechanism"],
        told["sasl_plain_username"],
        told["sasl_plain_password"],
    )
    security = access.faststream()
    assert security is not None
    assert ("triage", "hush") == (security.username, security.password)  # type: ignore[attr-defined]  # SASL
    assert "hush" not in repr(access)


@pytest.mark.parametrize("missing", ["USERNAME", "PASSWORD"])
def test_a_cluster_that_asks_needs_an_answer(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """The start stops with one line that names what is absent."""
    monkeypatch.setenv("MUNICIPIO_KAFKA_SECURITY", "SASL_SSL")
    monkeypatch.setenv("MUNICIPIO_KAFKA_USERNAME", "triage")
    monkeypatch.setenv("MUNICIPIO_KAFKA_PASSWORD", "hush")
    monkeypatch.delenv(f"MUNICIPIO_KAFKA_{missing}")
    with pytest.raises(WrongSetting, match=f"MUNICIPIO_KAFKA_{missing}: is required"):
        read_settings(RuntimeSettings)


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any connection is tried."""
    monkeypatch.setenv("MUNICIPIO_KAFKA_CA_PATH", "/nonexistent/ca.pem")
    with pytest.raises(WrongSetting, match=r"MUNICIPIO_KAFKA_CA_PATH: no such file"):
        read_settings(RuntimeSettings)


def test_an_encrypted_cluster_is_checked_by_its_certificate() -> None:
    """Encryption without knowing to whom one speaks would be none."""
    context = KafkaAccess("kafka:9093", "SASL_SSL", "PLAIN", "a", "b").client()["ssl_context"]
    assert context.check_hostname


def test_a_consumer_knows_every_broker_that_was_named() -> None:
    """One host made of three addresses is found nowhere."""
    settings = read_settings(RuntimeSettings, {"kafka_bootstrap": "a:9093,b:9093,c:9093"})
    broker = kafka_broker(settings, "triage")
    assert ["a:9093", "b:9093", "c:9093"] == broker.specification.url
