"""``ls services/*/handlers`` prints the flow, and the table of topics says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.topics import BY_NAME, BY_TYPE, TOPICS

SERVICES = Path(__file__).parents[2] / "services"
KNOWN = {"ingest", "triage", "notify", "console", "programme"}


def consumed() -> set[tuple[str, str]]:
    """Return (service, file name) for every consumer of every type."""
    return {
        (consumer, f"on_{kind.name.replace('.', '_')}.py")
        for topic in TOPICS
        for kind in topic.types
        for consumer in kind.consumers
    }


def handled() -> set[tuple[str, str]]:
    return {(path.parent.parent.name, path.name) for path in SERVICES.glob("*/handlers/on_*.py")}


def test_every_consumer_has_its_handler() -> None:
    """Who is said to read a type has a file of that name."""
    assert set() == consumed() - handled()


def test_every_handler_stands_in_the_table() -> None:
    """A handler for a type that its service does not read by the table is a leftover or a secret."""
    assert set() == handled() - consumed()


def test_nothing_but_handlers_stands_beside_them() -> None:
    """What else a service does has folders of its own, or the listing would not be the flow."""
    beside = {path.relative_to(SERVICES).as_posix() for path in SERVICES.glob("*/handlers/*")}
    handlers = {f"{service}/handlers/{name}" for service, name in handled()}
    packages = {f"{service}/handlers/__init__.py" for service, _ in handled()}
    assert set() == {path for path in beside if not path.endswith("__pycache__")} - handlers - packages


def test_names_are_said_once() -> None:
    """A type belongs to one topic: one aggregate's events share one order."""
    names = [kind.name for topic in TOPICS for kind in topic.types]
    assert sorted(set(names)) == sorted(names)
    assert len(BY_TYPE) == len(names)
    assert len(BY_NAME) == len(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_topic_keeps_the_rules_of_the_table(topic: object) -> None:
    """Writers and readers are services; outsiders write one topic; authority is signed; tables are keyed."""
    row = BY_NAME[topic.name]  # type: ignore[attr-defined] # parametrised
    for kind in row.types:
        assert set(kind.producers) | set(kind.consumers) <= KNOWN
        assert bool(kind.producers) == row.ours, kind.name
        assert kind.inbound == (not row.ours), kind.name
        words = kind.name.split(".")
        assert 2 == len(words)
        assert words[1].endswith("ed"), f"{kind.name} is not a fact in the past tense"
    assert row.signed == (row.name in {"decisions", "incidents", "warnings", "municipality"})
    assert row.partitions >= 1
    assert row.key
    assert row.dead == f"{row.name}.dead"
    if row.compacted:
        assert row.retention is None
