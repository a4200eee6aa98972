"""Describe the topics for whoever speaks Kafka: ``python -m schemas.asyncapi``; ``--check`` only compares.

AsyncAPI 3.0: a channel a topic, a message an event type, an operation a service that sends or receives one.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.envelope import CONTENT_TYPE, SPECVERSION
from schemas.topics import MAX_RECORD_BYTES, TOPICS, EventType, Topic

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "asyncapi.json"
EXAMPLES: Final = Path(__file__).parent / "examples"
KAFKA_BINDING: Final = "0.5.0"
FOREVER_MS: Final = -1

Json = dict[str, Any]  # JSON of any shape


def document() -> Json:
    """Return the whole document."""
    payloads, schemas = _payloads()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Municipio Seguro",
            "version": _version(),
            "description": (
                "Events between the services. CloudEvents 1.0 in Kafka binary mode; values are JSON. Fields "
                "that a reader does not know are ignored; a new major is a new type. Only readings.external "
                "may be written from outside."
            ),
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {
            "messages": {
                kind.name: _message(topic, kind, payloads[kind.name])
                for topic in TOPICS
                for kind in topic.types
            },
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
            "schemas": schemas,
        },
    }


def _payloads() -> tuple[dict[str, Json], Json]:
    models = [kind.model for topic in TOPICS for kind in topic.types]
    found, shared = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    by_name = {model.TYPE: found[(model, "validation")] for model in models}
    return by_name, dict(sorted(shared["$defs"].items()))


def _channel(topic: Topic) -> Json:
    retention_ms = FOREVER_MS if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    kept = "without limit" if topic.retention is None else f"for {topic.retention.days} days"
    return {
        "address": topic.name,
        "description": (
            f"Key: {topic.key}. Kept {kept}. "
            f"{'Signed by its producer (Ed25519). ' if topic.signed else ''}"
            f"{'Written by our services only.' if topic.ours else 'Open to outsiders.'}"
        ),
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in topic.types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    "retention.ms": retention_ms,
                    "max.message.bytes": MAX_RECORD_BYTES,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> Iterator[tuple[str, Json]]:
    for kind in topic.types:
        outside = ("outsider",) if kind.inbound else ()
        for action, services in (("send", (*kind.producers, *outside)), ("receive", kind.consumers)):
            for service in services:
                yield f"{service}.{action}.{kind.name}", _operation(topic, kind, action, service)


def _operation(topic: Topic, kind: EventType, action: str, service: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{kind.name}"}],
        "tags": [{"name": service}],
    }


def _message(topic: Topic, kind: EventType, payload: Json) -> Json:
    return {
        "name": kind.name,
        "title": kind.name,
        "summary": _first_line(kind.model),
        "contentType": CONTENT_TYPE,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": KAFKA_BINDING,
            }
        },
        "examples": _examples(kind.name),
    }


def _first_line(model: type[BaseModel]) -> str:
    own = model.__doc__ if "__doc__" in vars(model) else None
    return inspect.cleandoc(own or f"Event {model.__name__}.").splitlines()[0]


def _examples(name: str) -> list[Json]:
    return [
        {"name": path.stem, "payload": json.loads(path.read_text(encoding="utf-8"))}
        for path in sorted((EXAMPLES / name).glob("*.json"))
    ]


def _headers() -> Json:
    def text(description: str, **more: str) -> Json:
        return {"type": "string", "description": description, **more}

    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_municipality"],
        "properties": {
            "ce_specversion": {"type": "string", "const": SPECVERSION},
            "ce_id": text("By which a repeat is recognised, together with the source."),
            "ce_source": text("Who says it: municipio/<service>."),
            "ce_type": text("The event's type."),
            "ce_time": text("When it was said.", format="date-time"),
            "ce_municipality": text("Whose event it is; * for every town."),
            "ce_subject": text("What it is about."),
            "ce_correlationid": text("Of the first event of the chain."),
            "ce_causationid": text("Of the event that this one follows from."),
            "ce_exerciseid": text("Set on everything that belongs to a drill."),
            "ce_signature": text("Ed25519 over topic, attributes and value, in base64."),
            "ce_kid": text("With which key it was signed."),
        },
    }


def _version() -> str:
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def written() -> str:
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m schemas.asyncapi", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    wanted = written()
    if not parser.parse_args(arguments).check:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(wanted, encoding="utf-8")
        sys.stdout.write(f"{DOCUMENT}\n")
        return 0
    if DOCUMENT.is_file() and DOCUMENT.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{DOCUMENT}: is not what schemas/topics.py says; run python -m schemas.asyncapi\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
