"""Nobody subscribes to Kafka but ``services/runtime/kafka.py``, and there every dangerous default is set."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONLY_PLACE = ROOT / "services" / "runtime" / "kafka.py"
RUNTIME = ONLY_PLACE.parent

# What stands here loses, repeats or delays records when it is left to its default.
REQUIRED = {
    "ack_policy": "AckPolicy.NACK_ON_ERROR",
    "auto_offset_reset": "'earliest'",
    "no_reply": "True",
    "batch": "True",
    "parser": "safe_parser",
    "decoder": "raw_decoder",
    "group_id": None,
    "group_instance_id": None,
    "listener": None,
    "max_records": None,
}
FORBIDDEN = {"max_workers", "auto_commit", "auto_commit_interval_ms", "pattern", "partitions"}
WHERE_AND_WHO = "settings.kafka.client()"  # Sets neither what is sent nor how.
BROKER_REQUIRED = {"allow_auto_create_topics": "False", "consumer_only": "True", "enable_idempotence": "True"}


def sources() -> list[Path]:
    return sorted(
        path for root in ("services", "municipio", "schemas") for path in (ROOT / root).rglob("*.py")
    )


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def users(paths: list[Path], *names: str) -> list[str]:
    """Return the files in which one of these is called."""
    return [str(path.relative_to(ROOT)) for path in paths if any(calls(ast.parse(path.read_text()), *names))]


def arguments(call: ast.Call) -> dict[str, str]:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert given.pop(None, WHERE_AND_WHO) == WHERE_AND_WHO, "** hides what is set"
    return {str(name): value for name, value in given.items()}


def unsafe(call: ast.Call) -> list[str]:
    """Return what is wrong with one ``subscriber`` call."""
    given = arguments(call)
    wrong = [f"{name} is not set" for name in REQUIRED if name not in given]
    wrong += [
        f"{name}={given[name]}, not {value}"
        for name, value in REQUIRED.items()
        if value is not None and name in given and given[name] != value
    ]
    wrong += [f"{name} must not be used" for name in sorted(FORBIDDEN & given.keys())]
    deaf_ms = given.get("batch_timeout_ms", "200")
    if not deaf_ms.isdecimal() or int(deaf_ms) > 10:
        wrong.append(f"batch_timeout_ms={deaf_ms}: the loop is deaf for that long, at most 10")
    return wrong


def test_there_is_one_subscriber_call_and_it_is_safe() -> None:
    """Each argument that would lose records by default is written down."""
    (call,) = [
        call
        for call in calls(ast.parse(ONLY_PLACE.read_text()), "subscriber")
        if ast.unparse(call.func) == "broker.subscriber"
    ]
    assert unsafe(call) == []


def test_nobody_else_subscribes() -> None:
    """Neither with FastStream nor with a consumer of one's own."""
    others = [path for path in sources() if path != ONLY_PLACE]
    assert users(others, "subscriber", "KafkaBroker") == []
    services = [path for path in others if path.is_relative_to(ROOT / "services")]
    assert users(services, "AIOKafkaConsumer") == []


def test_only_the_relays_publisher_makes_a_producer() -> None:
    """Publishing happens after the commit, by the relay alone."""
    services = [path for path in sources() if path.is_relative_to(ROOT / "services")]
    others = [path for path in services if path != RUNTIME / "publisher.py"]
    assert users(others, "AIOKafkaProducer", "publish_batch") == []


def test_the_broker_creates_no_topic_and_publishes_nothing() -> None:
    """A mistyped topic is an error, not a new topic."""
    (call,) = calls(ast.parse(ONLY_PLACE.read_text()), "KafkaBroker")
    given = arguments(call)
    assert {name: given.get(name) for name in BROKER_REQUIRED} == BROKER_REQUIRED


def test_the_relays_producer_is_idempotent() -> None:
    """And refuses what the topic would refuse before the broker does."""
    (call,) = calls(ast.parse((RUNTIME / "publisher.py").read_text()), "AIOKafkaProducer")
    given = arguments(call)
    assert (given["enable_idempotence"], given["acks"], given["linger_ms"]) == ("True", "'all'", "0")
    assert "max_request_size" in given


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("b.subscriber('t')", "ack_policy is not set"),
        ("b.subscriber('t', ack_policy=AckPolicy.ACK_FIRST)", "ack_policy=AckPolicy.ACK_FIRST"),
        ("b.subscriber('t', max_workers=4)", "max_workers must not be used"),
        ("b.subscriber('t', batch_timeout_ms=200)", "batch_timeout_ms=200"),
    ],
    ids=["defaults", "at most once", "workers", "deaf"],
)
def test_the_lint_sees_what_it_must(call: str, said: str) -> None:
    """A lint that finds nothing proves nothing."""
    (found,) = calls(ast.parse(call), "subscriber")
    assert any(each.startswith(said) for each in unsafe(found))
