"""The same sentences on PostgreSQL: every statement of the stores runs there too, in one order of locks."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.runtime.provision import provision
from tests.support.postgres import PostgresCluster, fresh_database, postgres  # noqa: F401 - a fixture
from tests.unit.notify import (
    test_flow_approval,
    test_flow_authority,
    test_flow_codes,
    test_flow_duty,
    test_flow_questions,
    test_flow_same_second,
    test_flow_tasks,
    test_flow_warning,
)
from tests.unit.notify.flow_rig import DATABASE

Sentence = Callable[[Path], Awaitable[None]]
EVERY_STATEMENT = (
    test_flow_authority.test_yes_twice_sends_once,
    test_flow_authority.test_safe_release_without_corroboration_rings_the_next_person_and_says_why,
    test_flow_authority.test_one_byte_changed_after_approval_stops_the_rest,
    test_flow_authority.test_broadcast_goes_on_in_chunks_until_everybody_has_a_message,
    test_flow_authority.test_renewal_by_answer_sends_the_asked_words,
    test_flow_warning.test_correction_reaches_those_told_and_withdraws_the_rest,
    test_flow_warning.test_decision_that_came_before_its_incident_is_applied_when_it_appears,
    test_flow_warning.test_ledger_shows_the_steps_of_lost_time,
    test_flow_duty.test_silent_site_gives_one_task_and_one_page,
    test_flow_duty.test_unreached_blocks_get_a_loudspeaker_task,
    test_flow_duty.test_river_words_are_no_opt_out,
    test_flow_duty.test_two_towns_with_the_same_ids_stay_apart,
    test_flow_authority.test_no_answer_becomes_a_call_then_the_next_person,
    test_flow_authority.test_safe_release_lets_a_corroborated_warning_out,
    test_flow_authority.test_one_more_resident_voids_the_approval,
    test_flow_authority.test_no_sends_nothing_and_stays_no_until_it_gets_worse,
    test_flow_authority.test_paso_rings_the_next_person_now,
    test_flow_authority.test_call_can_be_answered_with_the_code,
    test_flow_authority.test_renewal_applies_by_itself_when_nobody_answers,
    test_flow_approval.test_yes_to_other_words_than_those_that_wait_is_refused,
    test_flow_codes.test_who_is_locked_out_is_audited_and_the_next_person_rung_now,
    test_flow_questions.test_question_nobody_answered_is_asked_afresh_when_its_words_are_too_old,
    test_flow_questions.test_nobody_is_asked_for_ever,
    test_flow_questions.test_yes_to_a_renewal_whose_words_changed_asks_again,
    test_flow_questions.test_yes_to_a_warning_that_fell_is_refused_and_asked_afresh,
    test_flow_warning.test_decision_about_the_unknown_waits_then_expires,
    test_flow_warning.test_two_signatures_where_the_town_asks_for_two,
    test_flow_warning.test_lift_reaches_those_told_once_and_stops_the_renewals,
    test_flow_warning.test_closed_incident_ends_questions_but_not_the_warning,
    test_flow_tasks.test_deadline_asks_the_next_crew_and_says_so,
    test_flow_tasks.test_crew_that_never_arrives_is_chased,
    test_flow_tasks.test_withdraw_counts_heads_until_all_are_out,
    test_flow_same_second.test_two_crews_in_one_second_and_one_has_it,
)

# What is locked only after the incident it is about; elsewhere two transactions would wait for each other.
AFTER_THE_INCIDENT = r"alert|authority_request|warning|task|code|delivery"
LOCKS = re.compile(
    rf"^UPDATE (?:{AFTER_THE_INCIDENT})\b|FROM (?:{AFTER_THE_INCIDENT})\b.*FOR UPDATE(?!.*SKIP LOCKED)", re.S
)
INCIDENT = "incident"
LOCKS_INCIDENT = re.compile(r"FROM incident\b.*FOR UPDATE|^INSERT INTO incident\b", re.S)


@pytest.mark.smoke
@pytest.mark.parametrize("sentence", EVERY_STATEMENT, ids=lambda sentence: sentence.__name__)
async def test_on_postgresql(
    sentence: Sentence,
    tmp_path: Path,
    postgres: PostgresCluster,  # noqa: F811 - the fixture
) -> None:
    """A file and a server decide alike."""
    async with fresh_database(postgres) as url:
        urls = await provision(url, ["notify"], secret="for tests")
        token = DATABASE.set(urls["notify"])
        try:
            with locks_in_order():
                await sentence(tmp_path)
        finally:
            DATABASE.reset(token)


@contextmanager
def locks_in_order() -> Iterator[None]:
    """Hold that nothing of an incident is locked before the incident itself.

    A transaction that never locks an incident waits for nobody else's: a sentence's own, or a sender's.
    """
    first: dict[sa.Connection, str] = {}
    wrong: list[str] = []

    def begun(conn: sa.Connection) -> None:
        first.pop(conn, None)

    def said(conn: sa.Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        if LOCKS_INCIDENT.search(statement):
            if first.setdefault(conn, INCIDENT) != INCIDENT:
                wrong.append(f"locked before its incident: {first[conn]}")
        elif LOCKS.search(statement):
            first.setdefault(conn, statement)

    sa.event.listen(sa.Engine, "begin", begun)
    sa.event.listen(sa.Engine, "before_cursor_execute", said)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "begin", begun)
        sa.event.remove(sa.Engine, "before_cursor_execute", said)
    assert not wrong, wrong[0]
