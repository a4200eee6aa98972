"""Keys and signatures of sources."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Property
from services.ingest.domain.keys import (
    ApiKey,
    KeyName,
    digest_of,
    name_of,
    new_key,
    parse_signature,
    sign,
)
from services.ingest.domain.sensors import KnownSensor, Scope

NOW = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


def stored(key: str, name: KeyName, **changes: object) -> ApiKey:
    plain: dict[str, object] = {"expires_at": None, "revoked_at": None, **changes}
    return ApiKey(name, digest_of(key), Scope(("*",)), "red", True, NOW, **plain)  # type: ignore[arg-type] # plain words of a test


def test_key_carries_its_own_name() -> None:
    """The town and the key id can be read from it, its secret is long."""
    name, key = new_key("valle.ejemplo")

    assert name == name_of(key)
    assert len(key) > 60


@pytest.mark.parametrize(
    "text", ["", "mk~a", "Bearer x", "mk~a~0123456789ab~short", "mk~A~0123456789ab~" + "x" * 43]
)
def test_other_text_is_no_key(text: str) -> None:
    """Whatever comes in the header is answered."""
    assert name_of(text) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"expires_at": NOW}, "the key has expired"),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"revoked_at": NOW}, "the key was revoked"),
    ],
)
def test_key_opens_until_it_expires_or_is_revoked(changes: dict[str, object], why: str | None) -> None:
    """The limit itself is outside."""
    name, key = new_key("a")

    assert why == stored(key, name, **changes).why_not(NOW)


def header(name: KeyName, ts: int, nonce: str, signature: bytes) -> str:
    return f"keyid={name},ts={ts},nonce={nonce},v1={signature.hex()}"


def test_signature_holds_for_its_own_bytes_only() -> None:
    """One byte more, another nonce or another key and it is void."""
    name, key = new_key("a")
    ts = int(NOW.timestamp())
    request = parse_signature(header(name, ts, "nonce-123", sign(digest_of(key), ts, "nonce-123", b"{}")))

    assert request is not None
    assert request.is_by(stored(key, name), b"{}")
    assert not request.is_by(stored(key, name), b"{} ")
    assert not request.is_by(stored("another", name), b"{}")


@pytest.mark.parametrize(("age_s", "fresh"), [(120, True), (121, False), (-120, True), (-121, False)])
def test_signature_is_fresh_for_two_minutes_either_way(age_s: int, fresh: bool) -> None:
    """Clocks differ a little; recordings are not taken."""
    name, _ = new_key("a")
    request = parse_signature(header(name, int(NOW.timestamp()) - age_s, "nonce-123", bytes(32)))

    assert request is not None
    assert fresh is request.is_fresh(NOW)


@given(text=st.text())
def test_any_header_is_answered(text: str) -> None:
    """No header raises."""
    assert parse_signature(text) is None


SENSOR = KnownSensor("rio-1", "puente", Property.RIVER_LEVEL, network="cuenca")


@pytest.mark.parametrize(
    ("scope", "sensor_id", "known", "covered"),
    [
        pytest.param(Scope(("rio-*",)), "rio-1", SENSOR, True, id="pattern"),
        pytest.param(Scope(("rio-*",)), "rio-9", None, True, id="pattern, not listed yet"),
        pytest.param(Scope(("lluvia-*",)), "rio-1", SENSOR, False, id="another pattern"),
        pytest.param(Scope(network="cuenca"), "rio-1", SENSOR, True, id="network"),
        pytest.param(Scope(network="otra"), "rio-1", SENSOR, False, id="another network"),
        pytest.param(Scope(network="cuenca"), "nuevo", None, True, id="network, not listed yet"),
        pytest.param(Scope(), "rio-1", SENSOR, False, id="nothing"),
    ],
)
def test_scope_covers_what_it_names(
    scope: Scope, sensor_id: str, known: KnownSensor | None, covered: bool
) -> None:
    """A source speaks for its own sensors."""
    assert covered is scope.covers(sensor_id, known)
