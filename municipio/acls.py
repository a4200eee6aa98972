"""Who may do what on the broker, from the table of topics: one principal a service, outsiders one topic.

``python -m municipio.acls --bootstrap kafka:9093 --command-config admin.properties`` prints the commands
that bring a cluster there. What is not allowed here is refused (`allow.everyone.if.no.acl.found=false`).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from municipio.kafka import KEEPER
from schemas.topics import TOPICS, Topic

Resource = Literal["topic", "group", "cluster"]
Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs"]

SENSORS: Final = "sensors"
"""Stands for whoever publishes from outside; each network gets a principal of its own with these rights."""


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One permission. ``is_prefix``: for every resource whose name begins so; ``*`` is every one."""

    principal: str
    resource: Resource
    name: str
    operation: Operation
    is_prefix: bool = False


def acls(topics: Sequence[Topic] = TOPICS) -> list[Acl]:
    """Return every permission that is needed, and none beside."""
    found = set(_of_keeper())
    for topic in topics:
        for service in sorted({name for kind in topic.types for name in kind.producers}):
            found.add(Acl(service, "topic", topic.name, "Write"))
        for service in sorted({name for kind in topic.types for name in kind.consumers}):
            found |= _of_reader(service, topic)
        if not topic.ours:
            found.add(Acl(SENSORS, "topic", topic.name, "Write"))
    return sorted(found)


def principals(permissions: Sequence[Acl]) -> list[str]:
    return sorted({each.principal for each in permissions})


def command(acl: Acl, options: Sequence[str]) -> str:
    """Return the words of Kafka's own tool that add this permission."""
    where = ["--cluster"] if acl.resource == "cluster" else [f"--{acl.resource}", acl.name]
    how = ["--resource-pattern-type", "prefixed"] if acl.is_prefix else []
    who = ["--allow-principal", f"User:{acl.principal}", "--operation", acl.operation]
    return shlex.join(["kafka-acls.sh", *options, "--add", *who, *where, *how])


def _of_reader(service: str, topic: Topic) -> set[Acl]:
    """A reader of a topic buries what it may not act on in the topic's dead letters."""
    return {
        Acl(service, "topic", topic.name, "Read"),
        Acl(service, "topic", topic.dead, "Write"),
        Acl(service, "group", f"{service}.", "Read", is_prefix=True),
    }


def _of_keeper() -> set[Acl]:
    return {
        Acl(KEEPER, "cluster", "kafka-cluster", "Create"),
        Acl(KEEPER, "cluster", "kafka-cluster", "Describe"),
        Acl(KEEPER, "topic", "*", "Describe"),
        Acl(KEEPER, "topic", "*", "DescribeConfigs"),
        Acl(KEEPER, "group", "*", "Describe"),
    }


def main(options: Sequence[str] | None = None) -> int:
    for each in acls():
        print(command(each, sys.argv[1:] if options is None else options))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
