"""Every released example can still be read, and readers tolerate what a newer producer adds."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.envelope import Envelope
from schemas.events.warnings import WarningSnapshot, content_hash
from schemas.export import JSON_DIR
from schemas.topics import BY_TYPE, MAX_RECORD_BYTES

EXAMPLES = sorted((Path(__file__).parents[2] / "schemas" / "examples").glob("*/*.json"))
SIGNER = Ed25519PublicKey.from_public_bytes(base64.b64decode("ANbOqMEgW0Z+2L/p9eXoZPQPFMVv+5kCm1tP3Un6u5g="))
MAPS = {"zone_levels"}
"""Fields whose keys are ids: there another key is another item."""
each = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def example(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def contains(whole: object, part: object) -> bool:
    """Say whether everything of ``part`` stands in ``whole``, times compared as moments."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            contains(whole.get(name), value) for name, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(contains, whole, part))
    return whole == part


def test_every_type_has_an_example() -> None:
    """A type without an example would not be held to anything, an example without a type is a leftover."""
    assert set(BY_TYPE) == {path.parent.name for path in EXAMPLES}


@each
def test_model_reads_every_released_example(path: Path) -> None:
    """What was once published is read, and nothing of it is lost."""
    kept = example(path)
    topic, kind = BY_TYPE[path.parent.name]
    event = kind.model.model_validate(kept["value"])
    assert contains(json.loads(event.json_bytes()), kept["value"])
    assert topic.name == kept["topic"]
    assert len(event.json_bytes()) < MAX_RECORD_BYTES


@each
def test_envelope_of_every_example_is_ours(path: Path) -> None:
    """Headers are CloudEvents in binary mode and say the type that the folder says."""
    kept = example(path)
    envelope = Envelope.parse({name: text.encode() for name, text in kept["headers"].items()})
    assert path.parent.name == envelope.type
    assert ("*" if envelope.type == "clock.ticked" else "ejemplo") == envelope.municipality
    assert envelope.time <= datetime(2027, 1, 1, tzinfo=UTC)


@each
def test_signed_topics_have_signed_examples(path: Path) -> None:
    """The bytes that a signature covers may never change: old records must still verify."""
    kept = example(path)
    topic, _ = BY_TYPE[path.parent.name]
    envelope = Envelope.parse({name: text.encode() for name, text in kept["headers"].items()})
    assert topic.signed == (envelope.signature is not None)
    if envelope.signature is not None:
        value = json.dumps(kept["value"], ensure_ascii=False, separators=(",", ":")).encode()
        SIGNER.verify(base64.b64decode(envelope.signature), envelope.signed_bytes(topic.name, value))


@each
def test_example_fits_its_published_schema(path: Path) -> None:
    """Somebody who reads only ``schemas/json`` accepts what we publish."""
    schema = json.loads((JSON_DIR / f"{path.parent.name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(example(path)["value"], schema)


@each
def test_unknown_fields_are_ignored(path: Path) -> None:
    """A field of a newer release does not stop an older reader, at any depth."""

    def with_more(value: object) -> object:
        if isinstance(value, list):
            return [with_more(item) for item in value]
        if not isinstance(value, dict):
            return value
        fields = {name: item if name in MAPS else with_more(item) for name, item in value.items()}
        return fields | {"field_of_tomorrow": {"x": 1}}

    _, kind = BY_TYPE[path.parent.name]
    before = kind.model.model_validate(example(path)["value"])
    assert before == kind.model.model_validate(with_more(example(path)["value"]))


@each
def test_unknown_words_become_unknown(path: Path) -> None:
    """A word of a newer release reads as ``unknown`` and goes to a person."""
    topic, kind = BY_TYPE[path.parent.name]
    schema = json.loads((JSON_DIR / f"{kind.name}.json").read_text(encoding="utf-8"))
    words = (
        {
            name
            for name, part in schema["properties"].items()
            if "unknown" in schema["$defs"].get(part.get("$ref", "").rpartition("/")[2], {}).get("enum", ())
        }
        if "$defs" in schema
        else set()
    )
    for name in words & set(example(path)["value"]):
        event = kind.model.model_validate(example(path)["value"] | {name: "word_of_tomorrow"})
        assert "unknown" == getattr(event, name).value, f"{topic.name} {name}"


@pytest.mark.parametrize(
    "path",
    [path for path in EXAMPLES if issubclass(BY_TYPE[path.parent.name][1].model, WarningSnapshot)],
    ids=lambda path: path.parent.name,
)
def test_content_hash_of_every_warning_holds(path: Path) -> None:
    """A warning that was authorised years ago still proves which words were."""
    _, kind = BY_TYPE[path.parent.name]
    event = kind.model.model_validate(example(path)["value"])
    assert event.content_hash == content_hash(
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        zones=event.zones,
        texts=event.texts,
        audience_digest=event.audience.digest,
    )
