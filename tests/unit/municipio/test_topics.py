"""What the cluster has to look like, and how a difference is said."""

from __future__ import annotations

from municipio.topics import differences, plans
from schemas.topics import MAX_RECORD_BYTES, TOPICS

PLANS = {plan.name: plan for plan in plans()}


def test_every_topic_has_its_dead_letters() -> None:
    """Poison from a topic always has somewhere to go."""
    assert {name for topic in TOPICS for name in (topic.name, topic.dead)} == set(PLANS)


def test_the_broker_takes_more_than_any_producer_sends() -> None:
    """A record that only the broker refuses would stop an idempotent producer for good."""
    assert all(
        int(plan.settings["max.message.bytes"]) > 1_048_576 > MAX_RECORD_BYTES for plan in PLANS.values()
    )


def test_decisions_are_kept_without_limit_and_readings_for_a_week() -> None:
    """Retention is the table's."""
    assert "-1" == PLANS["decisions"].settings["retention.ms"]
    assert str(7 * 86_400_000) == PLANS["readings"].settings["retention.ms"]


def test_the_municipality_topic_is_compacted_and_its_dead_letters_are_not() -> None:
    """The last activation per town is kept; dead letters have no key to be compacted by."""
    assert "compact" == PLANS["municipality"].settings["cleanup.policy"]
    assert "delete" == PLANS["municipality.dead"].settings["cleanup.policy"]


def test_what_stands_as_planned_is_not_named() -> None:
    """No noise when all is well; what the cluster has beside is not ours."""
    plan = PLANS["readings"]
    assert [] == differences(plan, plan.partitions, {**plan.settings, "segment.bytes": "1"})


def test_a_difference_names_topic_and_both_values() -> None:
    """One sentence for each thing that differs."""
    plan = PLANS["readings"]
    found = differences(plan, 3, {**plan.settings, "min.insync.replicas": "1"})
    assert [
        "readings: has 3 partitions, expected 6",
        "readings: min.insync.replicas is 1, expected 2",
    ] == found
