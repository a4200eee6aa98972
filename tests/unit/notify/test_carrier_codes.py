"""What a refusal means for the next step."""

import pytest

from schemas.vocabulary import Channel, Purpose
from services.notify.domain.carrier_codes import Action, is_worth_repeating, next_channel, remedy


@pytest.mark.parametrize(
    ("code", "status", "action"),
    [
        (20429, 429, Action.WAIT),
        (None, 429, Action.WAIT),
        (20003, 401, Action.STOP_SENDER),
        (None, 403, Action.STOP_SENDER),
        (21211, 400, Action.SWITCH),
        (21610, 400, Action.SWITCH),
        (30003, None, Action.RETRY_ONCE),
        (30007, None, Action.SWITCH),
        (14107, None, Action.SILENCE),
        (99999, 400, Action.SWITCH),
        (None, 422, Action.SWITCH),
    ],
)
def test_action(code, status, action):
    assert remedy(code, status).action == action


def test_a_wrong_number_is_flagged_and_a_stop_is_counted():
    assert remedy(30006).flag_contact
    assert remedy(21610).opted_out
    assert remedy(20003).tell_operators


def test_a_silent_handset_is_tried_once_more_and_not_twice():
    assert is_worth_repeating(remedy(30003), attempt=1)
    assert not is_worth_repeating(remedy(30003), attempt=2)
    assert not is_worth_repeating(remedy(21211), attempt=1)


@pytest.mark.parametrize(
    ("channel", "purpose", "expected"),
    [
        (Channel.SMS, Purpose.WARNING, Channel.VOICE),
        (Channel.SMS, Purpose.PAGE, Channel.VOICE),
        (Channel.SMS, Purpose.REPLY, None),
        (Channel.VOICE, Purpose.PAGE, None),
    ],
)
def test_next_channel(channel, purpose, expected):
    assert next_channel(channel, purpose) == expected
