"""Authority: what was signed is what is read, and only who may say it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope
from services.runtime.errors import Forged, Refused, Unsigned, WrongSetting
from services.runtime.signing import Signer, Verifier, generate_keys, load_signer, load_verifier
from tests.unit.runtime.conftest import START

VALUE = b'{"level":3}'
FACT = Envelope(
    "e1", "municipio/triage", "incident.classified", START, "ejemplo", subject="i1", correlation_id="c1"
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    generate_keys(folder, ["ingest", "triage", "notify"])
    return folder


@pytest.fixture(scope="module")
def triage(keys: Path) -> Signer:
    return load_signer(keys, "triage")


@pytest.fixture(scope="module")
def verifier(keys: Path) -> Verifier:
    return load_verifier(keys)


def test_a_sealed_record_is_recognised_also_after_the_wire(triage: Signer, verifier: Verifier) -> None:
    """Headers and back change nothing."""
    sealed = triage.seal("incidents", FACT, VALUE)
    assert verifier.verify("incidents", Envelope.parse(sealed.headers()), VALUE) == "triage"


@pytest.mark.parametrize(
    "changed",
    [
        {"municipality": "vecino"},
        {"type": "incident.closed"},
        {"exercise_id": "drill-1"},
        {"id": "e2"},
        {"source": "municipio/notify"},
        {"subject": "i2"},
        {"correlation_id": None},
        {"time": START.replace(year=2025)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_attribute_is_a_forgery(triage: Signer, verifier: Verifier, changed: dict) -> None:
    """Not one attribute may be exchanged: a drill can never become real."""
    sealed = triage.seal("incidents", FACT, VALUE)
    with pytest.raises(Forged):
        verifier.verify("incidents", replace(sealed, **changed), VALUE)


def test_a_changed_value_or_topic_is_a_forgery(triage: Signer, verifier: Verifier) -> None:
    """One byte, or the same bytes elsewhere."""
    sealed = triage.seal("incidents", FACT, VALUE)
    with pytest.raises(Forged):
        verifier.verify("incidents", sealed, VALUE + b" ")
    with pytest.raises(Forged):
        verifier.verify("decisions", sealed, VALUE)


def test_no_signature_is_told_apart_from_a_wrong_one(triage: Signer, verifier: Verifier) -> None:
    """Both are attacks, both go to the dead letters with their reason."""
    with pytest.raises(Unsigned) as unsigned:
        verifier.verify("incidents", FACT, VALUE)
    with pytest.raises(Forged) as forged:
        verifier.verify("incidents", replace(triage.seal("incidents", FACT, VALUE), kid="triage-000"), VALUE)
    assert (unsigned.value.reason, forged.value.reason) == ("signature.absent", "signature.forged")
    assert unsigned.value.is_attack
    assert forged.value.is_attack


def test_a_key_of_ours_may_only_say_what_its_service_produces(keys: Path, verifier: Verifier) -> None:
    """Ingest's key cannot classify an incident."""
    sealed = load_signer(keys, "ingest").seal("incidents", FACT, VALUE)
    with pytest.raises(Forged, match=r"ingest does not produce incident\.classified"):
        verifier.verify("incidents", sealed, VALUE)


def test_a_type_of_another_topic_is_a_forgery(keys: Path, verifier: Verifier) -> None:
    """Even by its own producer."""
    sealed = load_signer(keys, "triage").seal("decisions", FACT, VALUE)
    with pytest.raises(Forged, match="does not belong"):
        verifier.verify("decisions", sealed, VALUE)


@given(noise=st.text(max_size=60))
def test_no_noise_in_the_signature_passes_or_crashes(noise: str) -> None:
    """Whatever stands there, the answer is a refusal."""
    with pytest.raises(Refused):
        _noise_verifier().verify("incidents", replace(FACT, signature=noise, kid="triage-1"), VALUE)


def _noise_verifier() -> Verifier:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from services.runtime.signing import TrustedKey

    key = Ed25519PrivateKey.from_private_bytes(b"7" * 32).public_key()
    return Verifier({"triage-1": TrustedKey("triage", key)})


def test_generating_again_changes_no_key(tmp_path: Path) -> None:
    """A second start trusts what the first one signed; a new service is added."""
    generate_keys(tmp_path, ["triage"])
    before = (tmp_path / "triage.pem").read_bytes(), json.loads((tmp_path / "trusted.json").read_text())
    generate_keys(tmp_path, ["triage", "notify"])
    trusted = json.loads((tmp_path / "trusted.json").read_text())
    assert (tmp_path / "triage.pem").read_bytes() == before[0]
    assert before[1].items() <= trusted.items()
    assert {entry["service"] for entry in trusted.values()} == {"triage", "notify"}
    assert (tmp_path / "triage.pem").stat().st_mode & 0o077 == 0


def test_missing_or_broken_keys_name_the_setting(tmp_path: Path) -> None:
    """One line that says which file."""
    with pytest.raises(WrongSetting, match=r"MUNICIPIO_KEYS_DIR: .*triage\.pem"):
        load_signer(tmp_path, "triage")
    with pytest.raises(WrongSetting, match=r"MUNICIPIO_KEYS_DIR: .*trusted\.json"):
        load_verifier(tmp_path)
    (tmp_path / "triage.pem").write_text("not a key")
    (tmp_path / "trusted.json").write_text("[1]")
    with pytest.raises(WrongSetting, match="not a private key"):
        load_signer(tmp_path, "triage")
    with pytest.raises(WrongSetting, match="not a list of trusted keys"):
        load_verifier(tmp_path)
