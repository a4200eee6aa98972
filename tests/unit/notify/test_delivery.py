"""States of a message: only forward, facts win, a voicemail is nobody."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Channel, MessageState
from services.notify.domain import delivery
from services.notify.domain.delivery import NEXT, OPEN, TERMINAL, before, counts, may_follow, meaning, pause_s

S = MessageState
CARRIER = [S.ACCEPTED, S.QUEUED, S.SENT, S.DELIVERED]


def test_every_state_has_a_row_and_is_open_or_terminal():
    assert set(NEXT) == set(S)
    assert set(S) == OPEN | TERMINAL
    assert not OPEN & TERMINAL


@pytest.mark.parametrize(("early", "late"), list(itertools.combinations(CARRIER, 2)))
def test_carrier_states_never_go_back(early, late):
    """A callback that overtook another changes nothing when the slower one arrives."""
    assert may_follow(early, late)
    assert not may_follow(late, early)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_nothing_terminal_is_sent_again(state):
    assert not NEXT[state] & OPEN


def test_what_may_have_been_sent_is_never_withdrawn():
    """What the carrier has stays sent; what was on its way is withdrawn once that is known not to be so."""
    assert before(S.WITHDRAWN) == {S.PLANNED, S.SENDING, S.UNRESOLVED}
    assert before(S.SUPPRESSED) == {S.PLANNED}


def test_a_fact_wins_over_what_we_believed():
    assert may_follow(S.EXPIRED, S.DELIVERED)
    assert may_follow(S.UNDELIVERED, S.ANSWERED)
    assert may_follow(S.WITHDRAWN, S.DELIVERED)
    assert not may_follow(S.DELIVERED, S.EXPIRED)


def test_before_is_the_mirror_of_next():
    for state, after in itertools.product(S, S):
        assert may_follow(state, after) == (state in before(after))


@given(st.lists(st.sampled_from([S.QUEUED, S.SENT, S.DELIVERED]), min_size=1, max_size=12))
def test_callbacks_in_any_order_end_in_the_furthest(arriving):
    state = S.ACCEPTED
    for status in arriving:
        state = status if may_follow(state, status) else state
    assert state == max(arriving, key=CARRIER.index)


@pytest.mark.parametrize(
    ("channel", "status", "code", "answered_by", "expected"),
    [
        pytest.param(Channel.SMS, "queued", None, None, S.QUEUED, id="queued"),
        pytest.param(Channel.SMS, "DELIVERED", None, None, S.DELIVERED, id="upper case"),
        pytest.param(Channel.SMS, "undelivered", 30003, None, S.UNDELIVERED, id="handset off"),
        pytest.param(Channel.SMS, "failed", 30036, None, S.EXPIRED, id="validity period over"),
        pytest.param(Channel.SMS, "teleported", None, None, None, id="a word we do not know"),
        pytest.param(Channel.VOICE, "ringing", None, None, S.SENT, id="ringing"),
        pytest.param(Channel.VOICE, "completed", None, "human", S.DELIVERED, id="a person took it"),
        pytest.param(Channel.VOICE, "completed", None, "machine_end_beep", S.UNDELIVERED, id="voicemail"),
        pytest.param(Channel.VOICE, "no-answer", None, None, S.UNDELIVERED, id="nobody"),
        pytest.param(Channel.VOICE, "delivered", None, None, None, id="an SMS word on a call"),
    ],
)
def test_meaning(channel, status, code, answered_by, expected):
    assert meaning(channel, status, code=code, answered_by=answered_by) == expected


def test_a_replaced_attempt_only_speaks_of_facts():
    assert counts(S.DELIVERED, attempt=1, latest_attempt=2)
    assert not counts(S.UNDELIVERED, attempt=1, latest_attempt=2)
    assert counts(S.UNDELIVERED, attempt=2, latest_attempt=2)
    assert not counts(S.SENT, attempt=2, latest_attempt=2, repeating=True)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_pause_stays_within_its_bounds(attempt, jitter):
    assert 0.5 <= pause_s(attempt, jitter) <= 30


def test_pause_doubles():
    assert [pause_s(n, 0.0, base_s=2) for n in (1, 2, 3)] == [1, 2, 4]


def test_states_by_who_holds_the_message():
    assert {S.PLANNED, S.SENDING, S.UNRESOLVED} == delivery.NOT_HANDED_OVER
