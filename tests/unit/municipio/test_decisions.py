"""Decisions by command line: signed by the person, ruled by the owner of the verb."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from municipio import decisions
from municipio.client import Client
from municipio.errors import DependencyDown, Refused, WrongUse
from municipio.keyring import make_operator_keys, operator_key_file
from schemas.events.decisions import CoordinatorDecided
from schemas.municipality import Municipality

OPERATORS = """
operators:
  - {id: marta, name: Marta, roles: [authorise], person_id: marta, public_key_file: marta.pub}
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key made as at setup for an operator of one town."""
    towns = tmp_path / "towns"
    (towns / "ejemplo").mkdir(parents=True)
    (towns / "ejemplo" / "operators.yaml").write_text(OPERATORS)
    make_operator_keys(tmp_path / "keys", towns)
    return operator_key_file(tmp_path / "keys", "ejemplo", "marta")


def decision() -> CoordinatorDecided:
    fields = {"incident_id": "inc-1", "verb": "approve", "level": None}
    return decisions.decision_of("marta", fields, "2026-05-02T13:15:00Z")


def town(public_key: str) -> Municipality:
    operator = SimpleNamespace(id="marta", public_key=public_key)
    return cast(Municipality, SimpleNamespace(id="ejemplo", operators=(operator,)))


def test_the_signature_holds_for_this_town_only(key_file: Path) -> None:
    """A decision signed for one town is worth nothing in another."""
    key = decisions.read_key(key_file)
    signed = decisions.signed(decision(), "ejemplo", key)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key_file.with_suffix(".pub").read_text()))
    signature = base64.b64decode(signed.operator_signature or "")
    public.verify(signature, signed.signed_bytes("ejemplo"))
    with pytest.raises(InvalidSignature):
        public.verify(signature, signed.signed_bytes("otra"))


def test_the_operator_is_known_by_the_key(key_file: Path) -> None:
    """Nobody names themselves: the key says who decides."""
    key = decisions.read_key(key_file)
    assert "marta" == decisions.operator_of(key, town(key_file.with_suffix(".pub").read_text()))
    with pytest.raises(Refused):
        decisions.operator_of(Ed25519PrivateKey.generate(), town(key_file.with_suffix(".pub").read_text()))


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe"], ids=["empty", "text", "bytes"])
def test_a_file_that_is_no_key_is_wrong_use(tmp_path: Path, content: bytes) -> None:
    """The sentence names the setting, never the content."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(WrongUse, match="MUNICIPIO_OPERATOR_KEY_FILE"):
        decisions.read_key(path)


def test_keys_are_private_and_made_once(key_file: Path, tmp_path: Path) -> None:
    """Only their owner reads them, and a second setup changes nothing."""
    before = key_file.read_text()
    make_operator_keys(tmp_path / "keys", tmp_path / "towns")
    assert before == key_file.read_text()
    assert 0o600 == key_file.stat().st_mode & 0o777
    assert (tmp_path / "keys" / "operators" / "marta.pub").read_text() == (
        key_file.with_suffix(".pub").read_text()
    )


class FakeNotify:
    """Rules at the n-th question."""

    def __init__(self, rules_at: int) -> None:
        self.questions = 0
        self.rules_at = rules_at

    def get(self, _service: str, _path: str, **_query: object) -> dict[str, Any]:
        self.questions += 1
        return {"ruling": "applied" if self.questions >= self.rules_at else None}


class FakeWarnings:
    """One warning, in force, with a change of its words that waits for a yes."""

    def items(self, _service: str, _path: str, **_query: object) -> list[dict[str, Any]]:
        return [{"warning_id": "w-1"}]

    def get(self, _service: str, _path: str, **_query: object) -> dict[str, Any]:
        words = [{"text": "ALCALDIA: suba YA."}, {"text": "ALCALDIA: suba YA."}]
        says = {"version": 3, "zones": ["z-1"], "texts": words, "audience": {"phones": 7}}
        old = {"request_id": "q-1", "content_hash": "aa", "purpose": "warning", "version": 1}
        new = {"request_id": "q-2", "content_hash": "bb", "purpose": "warning", "version": 3}
        requests = [old | {"state": "approved"}, new | {"state": "pending"}]
        return {"requests": requests, "versions": [says | {"version": 1}, says]}


def test_a_yes_names_the_words_that_wait() -> None:
    """The command shows what a yes would send, and signs the request and the hash of just that."""
    asked = decisions.what_is_asked(cast(Client, FakeWarnings()), "ejemplo", "inc-1", None)
    assert ("q-2", "bb") == (asked.request_id, asked.content_hash)
    assert (("z-1",), ("ALCALDIA: suba YA.",), 7) == (asked.zones, asked.texts, asked.phones)


def test_a_yes_to_what_no_longer_waits_is_refused() -> None:
    """Somebody else answered it meanwhile: the person is told, nothing is signed."""
    with pytest.raises(Refused, match="q-1"):
        decisions.what_is_asked(cast(Client, FakeWarnings()), "ejemplo", "inc-1", "q-1")


def test_the_ruling_is_waited_for() -> None:
    """A ruling that comes later is still the answer."""
    notify = FakeNotify(rules_at=3)
    answer = decisions.ruling_of(cast(Client, notify), "ejemplo", "d-1", pause=lambda _s: None)
    assert ("applied", 3) == (answer["ruling"], notify.questions)


def test_no_ruling_in_time_is_a_dependency() -> None:
    """Exit 3: the decision is published, its owner has not answered."""
    with pytest.raises(DependencyDown, match="not ruled"):
        decisions.ruling_of(
            cast(Client, FakeNotify(rules_at=99)), "ejemplo", "d-1", within_s=0, pause=lambda _s: None
        )
