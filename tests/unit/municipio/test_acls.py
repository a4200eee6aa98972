"""The broker lets everybody do their own work and nothing else."""

from __future__ import annotations

import shlex

from municipio.acls import SENSORS, Acl, acls, command, principals
from municipio.kafka import KEEPER
from schemas.topics import BY_NAME, READINGS_EXTERNAL, TOPICS

TABLE = acls()
WRITERS = {
    topic.name: {each.principal for each in TABLE if each.name == topic.name and each.operation == "Write"}
    for topic in TOPICS
}


def test_a_topic_is_written_by_its_producers_alone() -> None:
    """The table of topics and the broker's say the same."""
    for topic in TOPICS:
        producers = {name for kind in topic.types for name in kind.producers}
        assert producers | ({SENSORS} if not topic.ours else set()) == WRITERS[topic.name]


def test_outsiders_may_write_one_topic_and_do_nothing_else() -> None:
    """Whoever steals a sensor's password can neither forge a reading nor listen."""
    assert [Acl(SENSORS, "topic", READINGS_EXTERNAL.name, "Write")] == [
        each for each in TABLE if each.principal == SENSORS
    ]


def test_a_topic_is_read_by_its_consumers_alone() -> None:
    """Reading a topic of somebody else is refused, too."""
    for topic in TOPICS:
        readers = {each.principal for each in TABLE if each.name == topic.name and each.operation == "Read"}
        assert {name for kind in topic.types for name in kind.consumers} == readers


def test_a_reader_may_bury_what_it_may_not_act_on() -> None:
    """Dead letters go beside the topic that they came from, and nowhere else."""
    dead = {(each.principal, each.name) for each in TABLE if each.name.endswith(".dead")}
    read = {
        (each.principal, each.name) for each in TABLE if each.operation == "Read" and each.name in BY_NAME
    }
    assert {(service, f"{name}.dead") for service, name in read} == dead


def test_a_service_commits_only_in_groups_of_its_own() -> None:
    """Nobody can move the place up to which another has read."""
    groups = [each for each in TABLE if each.resource == "group" and each.principal != KEEPER]
    assert groups
    assert all(each.is_prefix and each.name == f"{each.principal}." for each in groups)


def test_who_keeps_the_topics_reads_and_writes_no_record() -> None:
    """It creates what is absent and looks how far the readers are."""
    assert {"Create", "Describe", "DescribeConfigs"} == {
        each.operation for each in TABLE if each.principal == KEEPER
    }


def test_every_principal_is_a_service_the_keeper_or_outside() -> None:
    """One principal a service."""
    assert ["console", "ingest", KEEPER, "notify", SENSORS, "triage"] == principals(TABLE)


def test_a_permission_reads_as_kafkas_own_command() -> None:
    """So it can be given to any cluster, with whatever connects to that one."""
    group = Acl("triage", "group", "triage.", "Read", is_prefix=True)
    assert shlex.split(
        "kafka-acls.sh --bootstrap-server k:9093 --add --allow-principal User:triage --operation Read"
        " --group triage. --resource-pattern-type prefixed"
    ) == shlex.split(command(group, ["--bootstrap-server", "k:9093"]))
    cluster = Acl(KEEPER, "cluster", "kafka-cluster", "Create")
    assert command(cluster, []).endswith("--operation Create --cluster")
