"""The same sentences on PostgreSQL: every statement of notify's stores runs there too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.runtime.provision import provision
from tests.support.postgres import PostgresCluster, fresh_database, postgres  # noqa: F401 - a fixture
from tests.unit.notify import test_flow_authority, test_flow_duty, test_flow_warning
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
)


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
            await sentence(tmp_path)
        finally:
            DATABASE.reset(token)
