"""From a planned message to its known fate, through every way in which the carrier may fail us."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import sqlalchemy as sa

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.outbound.carrier import Accepted, Refused, Throttled, Unknown
from services.notify.outbound.outcomes import Heard, Status
from services.notify.outbound.sweeps import Sweeps
from services.notify.tables import delivery
from tests.support.postgres import fresh_database, postgres  # noqa: F401 - a fixture
from tests.unit.notify.delivery_rig import OURS, START, TOWN, no_connection, rig

S = MessageState


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def town(request, tmp_path):
    """The same suite on both databases."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/notify.sqlite"
        if request.param == "postgresql":
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres")))
        yield await stack.enter_async_context(rig(url))


def status(word, message_id="m-1", attempt=1, channel=Channel.SMS, **more):
    return Status(TOWN, message_id, attempt, channel, word, **({"sid": "SM9"} | more))


async def hear(town, said):
    async with town.db.transaction() as conn:
        return await town.outcomes.hear(conn, said)


async def test_a_planned_message_leaves_once_and_is_accepted(town):
    await town.plan()
    assert await town.sender.turn() == 1
    assert await town.sender.turn() == 0
    row = await town.row()
    assert row.state == S.ACCEPTED
    assert row.sid in town.carrier.resources
    assert row.sending_at == row.accepted_at == START
    [order] = town.carrier.left
    assert (order.sender, order.valid_s, order.subject.message_id) == (OURS, 600, "m-1")
    assert await town.told() == [("m-1", "accepted")]


async def test_sending_is_written_down_before_the_request(town):
    """A crash after the request must find a row that says so."""
    seen = []

    def look(order):
        async def state():
            return (await town.row()).state

        seen.append(asyncio.ensure_future(state()))
        return town.carrier.accept(order)

    town.carrier.script = [look]
    await town.plan()
    await town.sender.turn()
    assert await seen[0] in {S.SENDING, S.ACCEPTED}
    assert (await town.row()).attempt == 1


async def test_killed_between_record_and_request_sends_exactly_one(town):
    """The claim was committed, the process died before the POST: the list knows nothing, so it goes out."""
    await town.plan()
    async with town.db.transaction() as conn:
        await town.deliveries.claim(conn, TOWN, Channel.SMS, OURS, limit=10)
    await town.sender.recover()
    town.wait(16)
    await town.sender.turn()
    assert (await town.row()).state == S.UNRESOLVED
    assert town.carrier.left == []
    town.wait(20)
    await town.sender.turn()
    await town.sender.turn()
    row = await town.row()
    assert row.state == S.ACCEPTED
    assert row.maybe_duplicate
    assert len(town.carrier.left) == 1


async def test_killed_between_request_and_answer_sends_exactly_one(town):
    """The carrier has it, our process died before it heard so: the list says it, nothing goes out again."""
    await town.plan()
    async with town.db.transaction() as conn:
        [claimed] = await town.deliveries.claim(conn, TOWN, Channel.SMS, OURS, limit=10)
    await town.carrier.send(town.sender._present()[0]._order(claimed))
    town.wait(16)
    await town.sender.recover()
    town.wait(20)
    await town.sender.turn()
    row = await town.row()
    assert row.state == S.QUEUED
    assert not row.maybe_duplicate
    assert len(town.carrier.left) == 1


async def test_an_unknown_outcome_waits_for_the_callback_before_anything_else(town):
    def lost(order):
        town.carrier.accept(order)
        return Unknown("SocketTimeoutError")

    town.carrier.script = [lost]
    await town.plan()
    await town.sender.turn()
    assert (await town.row()).state == S.UNRESOLVED
    town.wait(10)
    assert await hear(town, status("sent")) is Heard.APPLIED
    town.wait(30)
    await town.sender.turn()
    row = await town.row()
    assert (row.state, row.sid) == (S.SENT, "SM9")
    assert len(town.carrier.left) == 1


async def test_a_list_that_does_not_answer_is_asked_again_then_sending_wins(town):
    """Never given up in silence: after two minutes without any answer a possible duplicate is better."""
    town.carrier.script = [lambda _: Unknown("HTTP 500")]
    town.carrier.answers_lists = False
    await town.plan()
    await town.sender.turn()
    for _ in range(10):
        town.wait(10)
        await town.sender.turn()
    assert town.carrier.left == []
    town.wait(60)
    await town.sender.turn()
    await town.sender.turn()
    assert len(town.carrier.left) == 1


async def test_a_third_copy_waits_longer_than_a_second(town):
    """A list that lags behind makes a copy each time it is believed."""
    town.carrier.script = [lambda _: Unknown("HTTP 500")] * 2
    await town.plan()
    await town.sender.turn()
    town.wait(20)
    await town.sender.turn()
    await town.sender.turn()
    assert (await town.row()).attempt == 2
    town.wait(59)
    await town.sender.turn()
    await town.sender.turn()
    assert (await town.row()).attempt == 2
    town.wait(1)
    await town.sender.turn()
    await town.sender.turn()
    row = await town.row()
    assert (row.state, row.attempt, row.maybe_duplicate) == (S.ACCEPTED, 3, True)


async def test_two_unknown_messages_with_the_same_words_do_not_share_one_copy(town):
    """One of two equal texts arrived: one row gets its sid, the other goes out again."""
    arrived = []

    def first_arrives(order):
        if not arrived:
            arrived.append(town.carrier.accept(order))
        return Unknown("reset")

    town.carrier.script = [first_arrives, first_arrives]
    await town.plan("m-1", text="Evacue ya", recipient_id="p")
    await town.plan("m-2", text="Evacue ya", recipient_id="p")
    await town.sender.turn()
    town.wait(25)
    await town.sender.turn()
    await town.sender.turn()
    assert len(town.carrier.left) == 2
    assert [row.state for row in await town.rows()].count(S.PLANNED) == 0


async def test_throttled_waits_as_asked_and_counts_as_not_told(town):
    town.carrier.script = [lambda _: Throttled(7.0)]
    await town.plan()
    await town.sender.turn()
    row = await town.row()
    assert (row.state, row.sending_at) == (S.PLANNED, None)
    assert row.next_attempt_at == START + timedelta(seconds=7)
    assert town.carrier.left == []


async def test_real_seconds_pass_also_where_the_town_clock_stands_still(town):
    """A hand-moved town does not hold back a retry: only real time says when to try again."""
    town.carrier.script = [no_connection]
    await town.plan()
    await town.sender.turn()
    town.real.wait(timedelta(seconds=5))
    await town.sender.turn()
    assert len(town.carrier.left) == 1
    assert town.clock.now() == START


async def test_a_wrong_number_is_not_texted_again_but_called(town):
    town.carrier.script = [lambda _: Refused(21211, 400)]
    await town.plan()
    await town.sender.turn()
    text, call = sorted(await town.rows(), key=lambda row: row.channel)
    assert (text.state, text.code, text.sending_at) == (S.FAILED, 21211, None)
    assert (call.channel, call.round, call.alert_id) == ("voice", 0, text.alert_id)
    await town.sender.turn()
    assert [order.subject.channel for order in town.carrier.left] == [Channel.VOICE]
    assert town.carrier.left[0].text == "Rio Claro 3.02 m. m-1"


async def test_an_automatic_answer_is_never_called_out(town):
    town.carrier.script = [lambda _: Refused(21211, 400)]
    await town.plan(purpose=Purpose.REPLY.value)
    await town.sender.turn()
    assert [row.state for row in await town.rows()] == [S.FAILED]


async def test_refused_credentials_keep_the_message_planned(town):
    town.carrier.script = [lambda _: Refused(20003, 401)]
    await town.plan()
    await town.sender.turn()
    assert (await town.row()).state == S.PLANNED
    assert town.sender.troubles() == {"ejemplo/sms": "sender or credentials refused: 20003"}


async def test_a_silent_handset_gets_one_more_text_then_a_call(town):
    await town.plan()
    await town.sender.turn()
    sid = (await town.row()).sid
    assert await hear(town, status("undelivered", code=30003, sid=sid)) is Heard.APPLIED
    assert await hear(town, status("sent", sid=sid)) is Heard.STALE
    assert (await town.row()).state == S.PLANNED
    town.wait(61)
    await town.sender.turn()
    assert len(town.carrier.left) == 2
    second = await town.row()
    await hear(town, status("undelivered", attempt=2, code=30003, sid=second.sid))
    assert (await town.row()).state == S.UNDELIVERED
    assert len(await town.rows()) == 2


async def test_callbacks_in_the_wrong_order_end_delivered(town):
    await town.plan()
    await town.sender.turn()
    sid = (await town.row()).sid
    said = [await hear(town, status(word, sid=sid)) for word in ("delivered", "sent", "queued", "delivered")]
    assert said == [Heard.APPLIED, Heard.STALE, Heard.STALE, Heard.STALE]
    row = await town.row()
    assert row.state == S.DELIVERED
    assert row.delivered_at == row.sent_at == START


async def test_a_callback_faster_than_the_answer_is_not_undone_by_it(town):
    await town.plan()
    async with town.db.transaction() as conn:
        [claimed] = await town.deliveries.claim(conn, TOWN, Channel.SMS, OURS, limit=10)
    await hear(town, status("delivered", sid="SM1"))
    async with town.db.transaction() as conn:
        await town.outcomes.record(conn, [(claimed, Accepted("SM1"))])
    row = await town.row()
    assert (row.state, row.sid) == (S.DELIVERED, "SM1")


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (status("sent", message_id="m-none"), Heard.UNKNOWN_MESSAGE),
        (status("teleported"), Heard.UNKNOWN_WORD),
        (status("failed", attempt=0), Heard.STALE),
    ],
)
async def test_what_cannot_be_used_changes_nothing(town, said, heard):
    await town.plan()
    await town.sender.turn()
    assert await hear(town, said) is heard
    assert (await town.row()).state == S.ACCEPTED


async def test_lost_callbacks_are_asked_for(town):
    await town.plan()
    await town.sender.turn()
    sid = (await town.row()).sid
    town.carrier.says(sid, "delivered")
    await town.sender.turn()
    assert (await town.row()).state == S.ACCEPTED
    town.wait(61)
    await town.sender.turn()
    assert (await town.row()).state == S.DELIVERED


async def test_too_late_is_not_sent_but_shown(town):
    await town.plan(expires_at=START + timedelta(seconds=60))
    town.wait(61)
    assert await town.sender.turn() == 0
    row = await town.row()
    assert (row.state, row.sending_at) == (S.EXPIRED, None)
    assert await town.told() == [("m-1", "expired")]


async def test_nothing_is_open_after_its_expiry(town):
    """The query of RELIABILITY appendix C: 0 rows, whatever state they were caught in."""
    for number, state in enumerate((S.PLANNED, S.ACCEPTED, S.QUEUED, S.SENT, S.UNRESOLVED)):
        await town.plan(f"m-{number}", state=state.value, attempt=1, sid=f"SM{number}", sender=OURS)
    town.wait(601)
    await town.sender.sweep()
    async with town.db.reading() as conn:
        assert await town.deliveries.overdue(conn) == 0
        assert await town.deliveries.waiting(conn) == 0


async def test_delivered_after_expired_is_still_delivered(town):
    await town.plan()
    await town.sender.turn()
    town.wait(601)
    town.carrier.answers_lists = False
    await town.sender.turn()
    assert (await town.row()).state == S.EXPIRED
    await hear(town, status("delivered"))
    assert (await town.row()).state == S.DELIVERED


async def test_a_page_overtakes_a_broadcast(town):
    for number in range(5):
        await town.plan(f"b-{number}", lane=5, rank=float(number))
    await town.plan("page", lane=0)
    await town.sender.turn()
    left = [order.subject.message_id for order in town.carrier.left]
    assert left == ["page", "b-0", "b-1", "b-2", "b-3", "b-4"]


async def test_only_what_is_certainly_unsent_is_withdrawn(town):
    await town.plan("kept", state=S.UNRESOLVED.value, attempt=1, sender=OURS)
    await town.plan("taken")
    async with town.db.transaction() as conn:
        changed = await town.deliveries.take_back(conn, TOWN, S.WITHDRAWN, delivery.c.incident_id == "i-1")
    assert [each.message_id for each in changed] == ["taken"]
    assert (await town.row("kept")).state == S.UNRESOLVED


async def take_back(town, message_id="m-1"):
    async with town.db.transaction() as conn:
        mine = delivery.c.message_id == message_id
        return await town.deliveries.take_back(conn, TOWN, S.WITHDRAWN, mine)


async def test_taken_back_on_its_way_it_does_not_go_out_again_when_refused(town):
    """The carrier was too busy: what it says was lifted meanwhile, so there is no second try."""
    await town.plan()
    async with town.db.transaction() as conn:
        claimed = await town.deliveries.claim(conn, TOWN, Channel.SMS, OURS, limit=10)
    assert await take_back(town) == []
    async with town.db.transaction() as conn:
        await town.outcomes.record(conn, [(claimed[0], Throttled(1.0))])
    town.wait(60)
    assert await town.sender.turn() == 0
    row = await town.row()
    assert (row.state, row.sending_at) == (S.WITHDRAWN, None)
    assert (await town.told())[-1] == ("m-1", "withdrawn")


async def unknown_and_taken_back(town, *, left):
    def lost(order):
        if left:
            town.carrier.accept(order)
        return Unknown("reset")

    town.carrier.script = [lost]
    await town.plan(expires_at=START + timedelta(hours=1))
    await town.sender.turn()
    assert (await town.row()).state == S.UNRESOLVED
    await take_back(town)
    await town.sender.turn()  # asked about at once


async def test_taken_back_in_doubt_and_found_in_the_list_it_counts_as_sent(town):
    await unknown_and_taken_back(town, left=True)
    assert (await town.row()).state in {S.ACCEPTED, S.QUEUED}
    assert len(town.carrier.left) == 1


async def test_taken_back_in_doubt_and_never_listed_it_is_withdrawn(town):
    """The list may lag: it is believed after two minutes, and nothing is sent again before or after."""
    await unknown_and_taken_back(town, left=False)
    town.wait(100)
    await town.sender.turn()
    assert (await town.row()).state == S.UNRESOLVED
    town.wait(30)
    await town.sender.turn()
    row = await town.row()
    assert (row.state, row.sending_at, town.carrier.left) == (S.WITHDRAWN, None, [])


async def test_taken_back_in_doubt_and_no_list_it_counts_as_sent(town):
    town.carrier.answers_lists = False
    await unknown_and_taken_back(town, left=True)
    town.wait(130)
    await town.sender.turn()
    row = await town.row()
    assert (row.state, row.sending_at) == (S.EXPIRED, START)
    assert len(town.carrier.left) == 1


async def test_taken_back_it_is_neither_texted_again_nor_called(town):
    """The handset was off, and by the time the carrier says so the warning is lifted."""
    await town.plan()
    await town.sender.turn()
    assert await take_back(town) == []
    assert await hear(town, status("undelivered", code=30003)) is Heard.APPLIED
    town.wait(120)
    assert await town.sender.turn() == 0
    assert [(row.channel, row.state) for row in await town.rows()] == [(Channel.SMS, S.UNDELIVERED)]


WARNED = {"warning_id": "w-1", "recipient_id": "neighbour", "expires_at": START + timedelta(hours=1)}


async def warned_and_corrected(town, monkeypatch, **older):
    """Plan a warning in some state and its correction, as if both were authorised."""

    async def no_strangers(*_):
        return set()

    monkeypatch.setattr("services.notify.outbound.authorised.strangers", no_strangers)
    await town.plan("old", **WARNED, version=2, purpose="warning", attempt=1, sender=OURS, **older)
    await town.plan("new", **WARNED, version=3, purpose="correction")
    await town.sender.turn()
    return (await town.row("new")).state


async def test_a_correction_waits_while_the_older_words_are_in_doubt(town, monkeypatch):
    doubt = {
        "state": S.UNRESOLVED.value,
        "sending_at": START,
        "next_attempt_at": START + timedelta(seconds=20),
    }
    assert await warned_and_corrected(town, monkeypatch, **doubt) == S.PLANNED
    assert await hear(town, status("delivered", "old")) is Heard.APPLIED
    await town.sender.turn()
    assert (await town.row("new")).state == S.ACCEPTED


async def test_a_correction_is_withdrawn_where_nothing_ever_left(town, monkeypatch):
    """A person never told never hears of the correction; unless it turns out that they were told."""
    assert await warned_and_corrected(town, monkeypatch, state=S.WITHDRAWN.value) == S.WITHDRAWN
    assert town.carrier.left == []
    assert await hear(town, status("delivered", "old")) is Heard.APPLIED
    await town.sender.turn()
    assert (await town.row("new")).state == S.ACCEPTED


async def test_a_page_about_the_warning_tells_no_neighbour(town, monkeypatch):
    """Who was asked to sign was not warned."""
    await town.plan("asked", **WARNED, version=1, purpose="authority", state=S.DELIVERED.value, sid="SM5")
    assert await warned_and_corrected(town, monkeypatch, state=S.WITHDRAWN.value) == S.WITHDRAWN


async def test_nobody_is_called_with_words_that_are_not_in_force(town, monkeypatch):
    """There is no such version in force, so the text that cannot arrive stays the last try."""

    async def no_strangers(*_):
        return set()

    monkeypatch.setattr("services.notify.outbound.authorised.strangers", no_strangers)
    town.carrier.script = [lambda _: Refused(21614)]
    await town.plan(**WARNED, version=2, purpose="warning")
    await town.sender.turn()
    assert [row.channel for row in await town.rows()] == [Channel.SMS]


async def test_a_list_that_hangs_holds_up_nothing(town, monkeypatch):
    """Twenty questions hang: the round ends in its time, and expiry goes on meanwhile."""
    hanging = asyncio.Event()

    async def hang(*_):
        hanging.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(town.carrier, "sent_to", hang)
    for number in range(20):
        await town.plan(f"m-{number}", state=S.UNRESOLVED.value, attempt=1, sender=OURS)
    await town.plan("late", expires_at=START - timedelta(seconds=1))
    sweeps = Sweeps(town.db, town.deliveries, town.outcomes, town.carrier, ask_within_s=0.3)
    asking = asyncio.create_task(sweeps.resolve())
    await hanging.wait()
    assert await sweeps.expire() == 1
    assert not asking.done()
    assert await asyncio.wait_for(asking, 5) == 0


async def test_words_that_changed_since_they_were_approved_do_not_go_out(town):
    """One byte changed in the table: the body no longer fits the hash it is stored under."""
    await town.plan()
    async with town.db.transaction() as conn:
        await conn.execute(sa.text("UPDATE body SET text = text || '!'"))
    await town.sender.turn()
    assert town.carrier.left == []
    assert (await town.row()).state == S.FAILED


async def test_two_towns_with_the_same_ids_do_not_touch_each_other(town):
    await town.plan("m-1")
    await town.plan("m-1", town="otra")
    await town.sender.turn()
    assert (await town.row("m-1")).state == S.ACCEPTED
    assert (await town.row("m-1", "otra")).state == S.PLANNED


async def test_two_processes_never_claim_the_same_message(town):
    for number in range(20):
        await town.plan(f"m-{number:02d}")

    async def claim():
        async with town.db.transaction() as conn:
            return await town.deliveries.claim(conn, TOWN, Channel.SMS, OURS, limit=7)

    taken = [each.message_id for batch in await asyncio.gather(claim(), claim(), claim()) for each in batch]
    assert len(taken) == len(set(taken)) == 20


async def test_five_hundred_messages_of_an_incident_are_one_event(town):
    for number in range(3):
        await town.plan(f"m-{number}")
    async with town.db.transaction() as conn:
        ids = [f"m-{number}" for number in range(3)]
        await town.deliveries.move(conn, TOWN, ids, S.WITHDRAWN)
    async with town.db.reading() as conn:
        assert await town.outbox.unpublished(conn) == 1
