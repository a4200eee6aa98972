"""From the door's spool to what it means: statuses move messages, words and digits reach who acts on them."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from twilio.request_validator import RequestValidator

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound.door import Door
from services.notify.inbound.resolve import Resolver
from services.notify.inbound.spool_pull import DoorAway, SpoolPull
from services.notify.inbound.writers import town_of, towns_of
from services.notify.outbound import callback_token, views
from services.notify.outbound.callback_token import Subject
from services.notify.outbound.spool import Spool
from services.notify.tables import audit, code, door_inbox, recipient
from services.runtime.health import Health
from tests.support.postgres import fresh_database, postgres  # noqa: F401 - a fixture
from tests.unit.notify.delivery_rig import CIPHER, OURS, START, TOWN, rig

S = MessageState
PUBLIC, TOKEN, ADMIN = "https://door.example", "a" * 32, "admin"
PHONE = "+50370001234"


class Chain:
    """A door, its spool, and notify's side of it, without a network between."""

    def __init__(self, built, spool, senders):
        self.rig = built
        settings = CarrierSettings(twilio_auth_token=TOKEN, public_url=PUBLIC, admin_token=ADMIN)
        self.door = Door(settings, spool, built.clock, Health("door"))
        self.spool = spool
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door.http),
            base_url="http://door",
            headers={"Authorization": f"Bearer {ADMIN}"},
        )
        self.replies, self.digits, self.bug = [], [], None
        self.resolver = Resolver(
            db=built.db,
            deliveries=built.deliveries,
            outcomes=built.outcomes,
            cipher=CIPHER,
            tokens=[TOKEN],
            senders=lambda: senders,
            on_reply=self.on_reply,
            on_keypress=self.on_keypress,
        )
        self.pull = SpoolPull(built.db, CIPHER, self.http, self.resolver.town_of, self.resolver.wake)

    async def on_reply(self, conn, **said):
        if self.bug:
            raise self.bug
        self.replies.append(said)

    async def on_keypress(self, conn, **said):
        self.digits.append(said)

    async def post(self, path, form):
        signed = RequestValidator(TOKEN).compute_signature(PUBLIC + path, form)
        headers = {"X-Twilio-Signature": signed, "Content-Type": "application/x-www-form-urlencoded"}
        assert (await self.http.post(path, content=urlencode(form), headers=headers)).is_success

    async def status(self, word, message_id="m-1", channel=Channel.SMS, attempt=1, **more):
        subject = Subject(TOWN, message_id, attempt, channel, Purpose.PAGE)
        name = "MessageStatus" if channel is Channel.SMS else "CallStatus"
        sid = {"MessageSid": "SM1"} if channel is Channel.SMS else {"CallSid": "CA1"}
        token = callback_token.sign(subject, TOKEN)
        await self.post(f"/twilio/message-status?m={token}", sid | {name: word} | more)

    async def text(self, body, sid="SM7", sender=PHONE, to=OURS):
        await self.post("/twilio/message-in", {"MessageSid": sid, "From": sender, "To": to, "Body": body})

    async def press(self, digits, message_id="m-1"):
        subject = Subject(TOWN, message_id, 1, Channel.VOICE, Purpose.PAGE)
        token = callback_token.sign(subject, TOKEN)
        await self.post(f"/twilio/voice/1?m={token}", {"CallSid": "CA1", "Digits": digits})

    async def settle(self):
        while await self.pull.pull():
            pass
        await self.resolver.turn()

    async def outcomes(self):
        async with self.rig.db.reading() as conn:
            rows = await conn.execute(sa.select(door_inbox).order_by(door_inbox.c.received_at))
            return [(row.municipality, row.kind, row.outcome) for row in rows]

    async def person(self, town=TOWN, person_id="p-1", phone=PHONE, kind="person"):
        async with self.rig.db.transaction() as conn:
            await conn.execute(
                sa.insert(recipient).values(
                    municipality=town,
                    recipient_id=person_id,
                    kind=kind,
                    phone_enc=CIPHER.seal(phone),
                    phone_index=CIPHER.index(phone),
                    imported_at=START,
                )
            )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def chain(request, tmp_path):
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/notify.sqlite"
        if request.param == "postgresql":
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres")))
        built = await stack.enter_async_context(rig(url))
        spool = Spool(tmp_path / "door.sqlite")
        made = Chain(built, spool, {TOWN: OURS, "otra": OURS})
        yield made
        await made.http.aclose()
        await spool.close()


async def test_a_status_travels_from_the_door_to_the_message(chain):
    await chain.rig.plan()
    await chain.rig.sender.turn()
    await chain.status("delivered")
    await chain.settle()
    assert (await chain.rig.row()).state == S.DELIVERED
    assert await chain.outcomes() == [(TOWN, "message-status", "applied")]
    assert await chain.spool.waiting() == 0


async def test_many_statuses_are_few_events(chain):
    for number in range(5):
        await chain.rig.plan(f"m-{number}")
    await chain.rig.sender.turn()
    before = len(await chain.rig.told())
    for number in range(5):
        await chain.status("delivered", f"m-{number}", MessageSid=f"SM{number + 50}")
    await chain.settle()
    assert len(await chain.rig.told()) == before + 5
    async with chain.rig.db.reading() as conn:
        assert await chain.rig.outbox.unpublished(conn) == 2


async def test_a_status_for_an_unknown_message_is_kept_and_stops_nothing(chain):
    await chain.rig.plan()
    await chain.rig.sender.turn()
    await chain.status("delivered", "m-none", MessageSid="SM5")
    await chain.status("delivered")
    await chain.settle()
    assert [outcome for _, _, outcome in await chain.outcomes()] == ["unknown_message", "applied"]


async def test_a_code_of_the_carrier_comes_along(chain):
    await chain.rig.plan()
    await chain.rig.sender.turn()
    await chain.status("undelivered", ErrorCode="30006")
    await chain.settle()
    text, call = sorted(await chain.rig.rows(), key=lambda row: row.channel)
    assert (text.state, text.code, call.state) == (S.UNDELIVERED, 30006, S.PLANNED)


async def test_a_text_reaches_who_acts_once(chain):
    await chain.person()
    for _ in range(2):
        await chain.text("SI 4711")
    await chain.settle()
    [said] = chain.replies
    assert said == {
        "municipality": TOWN,
        "recipient_id": "p-1",
        "text": "SI 4711",
        "received_at": START,
        "provider_id": "SM7",
    }


async def test_pulled_twice_because_the_acknowledgement_was_lost_is_worked_off_once(chain):
    await chain.person()
    await chain.text("SI 4711")
    page = await chain.pull._fetch(0)
    await chain.settle()
    async with chain.rig.db.transaction() as conn:
        insert = chain.rig.db.insert(door_inbox).on_conflict_do_nothing()
        await conn.execute(insert, [chain.pull._row(item) for item in page])
    await chain.settle()
    assert len(chain.replies) == 1


async def test_an_unknown_number_is_kept_for_a_person(chain):
    await chain.text("Auxilio", sender="+50379999999")
    await chain.settle()
    assert chain.replies == []
    assert [outcome for _, _, outcome in await chain.outcomes()] == ["unknown_number"]


async def test_a_number_in_two_towns_answers_the_one_whose_code_it_names(chain):
    await chain.person(TOWN, "p-1")
    await chain.person("otra", "p-9")
    async with chain.rig.db.transaction() as conn:
        await conn.execute(
            sa.insert(code).values(
                municipality="otra",
                subject_id="r-1",
                person_id="p-9",
                subject_kind="request",
                incident_id="i-1",
                code="4711",
                issued_at=START,
                expires_at=START + timedelta(hours=1),
            )
        )
    await chain.text("si 4711")
    await chain.settle()
    assert [(said["municipality"], said["recipient_id"]) for said in chain.replies] == [("otra", "p-9")]


async def test_a_number_in_two_towns_without_a_code_answers_who_spoke_last(chain):
    await chain.person(TOWN, "p-1")
    await chain.person("otra", "p-9")
    await chain.rig.plan("m-9", town="otra", recipient_id="p-9", sending_at=START)
    await chain.text("ok")
    await chain.settle()
    assert [said["municipality"] for said in chain.replies] == ["otra"]


async def test_a_digit_answers_the_call_and_reaches_who_acts(chain):
    await chain.rig.plan(channel=Channel.VOICE)
    await chain.rig.sender.turn()
    await chain.press("1")
    await chain.settle()
    row = await chain.rig.row()
    assert (row.state, row.answered_at) == (S.ANSWERED, START)
    assert [(said["message_id"], said["digits"], said["provider_id"]) for said in chain.digits] == [
        ("m-1", "1", "CA1/1")
    ]
    await chain.status("completed", channel=Channel.VOICE, Duration="12")
    await chain.settle()
    assert (await chain.rig.row()).state == S.ANSWERED


async def test_a_machine_that_took_the_call_is_nobody(chain):
    await chain.rig.plan(channel=Channel.VOICE)
    await chain.rig.sender.turn()
    token = callback_token.sign(Subject(TOWN, "m-1", 1, Channel.VOICE, Purpose.PAGE), TOKEN)
    amd = {"CallSid": "CA1", "AnsweredBy": "machine_end_beep"}
    await chain.post(f"/twilio/message-status?m={token}", amd)
    await chain.status("completed", channel=Channel.VOICE)
    await chain.settle()
    assert (await chain.rig.row()).state == S.UNDELIVERED


async def test_a_bug_with_one_answer_does_not_hold_up_the_next(chain):
    await chain.person()
    await chain.rig.plan()
    await chain.rig.sender.turn()
    chain.bug = KeyError("ours")
    await chain.text("SI 4711")
    await chain.status("delivered")
    await chain.settle()
    said = {kind: outcome for _, kind, outcome in await chain.outcomes()}
    assert said == {"message-in": "failed: KeyError", "message-status": "applied"}
    async with chain.rig.db.reading() as conn:
        shown = (await conn.execute(sa.select(audit))).mappings().all()
        assert await views.answers_failed(conn) == len(shown)
    told = {(row["municipality"], row["action"], row["detail"]["error"]) for row in shown}
    assert told == {(TOWN, "answer.failed", "KeyError"), ("otra", "answer.failed", "KeyError")}


async def test_what_another_replica_holds_is_left_to_it(chain):
    """Rows that are locked are not looked at again and again: the turn ends."""
    if chain.rig.db.dialect == "sqlite":
        pytest.skip("SQLite locks no rows")
    await chain.person()
    await chain.text("SI 4711")
    await chain.pull.pull()
    async with chain.rig.db.transaction() as other:
        await other.execute(sa.select(door_inbox).with_for_update())
        assert await asyncio.wait_for(chain.resolver.turn(), 5) == 0
    assert await chain.resolver.turn() == 1


async def test_what_came_in_is_sealed_at_rest(chain):
    await chain.text("Auxilio", sender="+50379999999")
    await chain.settle()
    async with chain.rig.db.reading() as conn:
        [row] = (await conn.execute(sa.select(door_inbox))).all()
    assert b"79999999" not in row.params_enc
    assert json.loads(CIPHER.open(row.params_enc))["Body"] == ["Auxilio"]


async def test_a_door_that_is_away_raises_nothing_odd(chain):
    async def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    away = httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://door")
    pull = SpoolPull(chain.rig.db, CIPHER, away, chain.resolver.town_of)
    with pytest.raises(DoorAway):
        await pull.pull()


async def test_loops_bring_a_reply_through_at_once(chain):
    """The answer to a page must not wait for the next look."""
    await chain.person()
    tasks = [asyncio.create_task(chain.pull.run()), asyncio.create_task(chain.resolver.run())]
    await chain.text("SI 4711")
    async with asyncio.timeout(5):
        while not chain.replies:
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_number_written_to_names_the_town():
    senders = {"a": "+1", "b": "+2", "c": "+2"}
    assert (town_of(senders, "+1"), town_of(senders, "+2"), town_of(senders, "+9")) == ("a", "*", "*")
    assert towns_of(senders, "+2") == ["b", "c"]
    assert towns_of(senders, "+9") == ["a", "b", "c"]
