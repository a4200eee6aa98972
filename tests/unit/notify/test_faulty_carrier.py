"""All loops at once against the fake carrier over real HTTP: every phone gets its text exactly once."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import sqlalchemy as sa

from schemas.vocabulary import MessageState, Purpose
from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound.door import Door
from services.notify.inbound.resolve import Resolver
from services.notify.inbound.spool_pull import SpoolPull
from services.notify.outbound.carrier import TwilioCarrier
from services.notify.outbound.deliveries import Deliveries
from services.notify.outbound.message_events import MessageEvents
from services.notify.outbound.outcomes import Outcomes
from services.notify.outbound.sender import Sender, lease_s
from services.notify.outbound.spool import Spool
from services.notify.outbound.steady import SteadyClock
from services.notify.outbound.sweeps import Sweeps
from services.notify.outbound.twilio_http import BoundedTwilioHttp, Reach
from services.notify.tables import delivery
from services.runtime.clock import SystemClock
from services.runtime.health import Health
from tests.support.fake_twilio import FakeCarrier, FaultPlan
from tests.support.fake_twilio.posting import AppPoster
from tests.support.fake_twilio.settings import DEFAULT_ACCOUNT, DEFAULT_TOKEN
from tests.unit.notify.delivery_rig import CIPHER, OURS, TOWN, rig

PUBLIC = "http://door.test"
FAULTS = FaultPlan(
    seed=7,
    busy_share=0.05,
    retry_after_s=0,
    fail_before_share=0.03,
    fail_after_share=0.04,
    hang_after_share=0.03,
    reset_after_share=0.03,
    callback_drop_share=0.1,
    callback_double_share=0.1,
    callback_forge_share=0.05,
)


class Live:
    """Notify's sending half as App composes it, with patience in tenths of seconds."""

    def __init__(self, built, spool):
        self.rig, self.clock = built, SystemClock()
        self.settings = CarrierSettings(
            twilio_account_sid=DEFAULT_ACCOUNT,
            twilio_auth_token=DEFAULT_TOKEN,
            public_url=PUBLIC,
            admin_token="admin",
            sms_segments_per_s=2_000,
            carrier_timeout_s=0.4,
        )
        self.door = Door(self.settings, spool, self.clock, Health("door"))

    def sender(self):
        reach = Reach(production=False, base=self.base, allow_numbers=frozenset())
        self.http = BoundedTwilioHttp(reach, base=self.base, total_s=0.4)
        carrier = TwilioCarrier(DEFAULT_ACCOUNT, DEFAULT_TOKEN, self.http, PUBLIC)
        patience = {"unresolved_after_s": 0.5, "poll_after_s": 1.0}
        lease = lease_s(self.settings)
        events = MessageEvents(self.rig.outbox)
        self.deliveries = Deliveries(self.clock, SteadyClock(), CIPHER, events, lease_s=lease)
        self.outcomes = Outcomes(self.deliveries, **patience)
        return Sender(
            db=self.rig.db,
            deliveries=self.deliveries,
            outcomes=self.outcomes,
            sweeps=Sweeps(self.rig.db, self.deliveries, self.outcomes, carrier, **patience),
            carrier=carrier,
            settings=self.settings,
            senders=lambda: {TOWN: OURS},
            health=Health("notify"),
        )

    @asynccontextmanager
    async def running(self):
        """Run every loop; at the end cancel them as a process that is told to end does."""
        sender = self.sender()
        resolver = Resolver(
            db=self.rig.db,
            deliveries=self.deliveries,
            outcomes=self.outcomes,
            cipher=CIPHER,
            tokens=[DEFAULT_TOKEN],
            senders=lambda: {TOWN: OURS},
            on_reply=None,
            on_keypress=None,
        )
        transport = httpx.ASGITransport(self.door.http)
        headers = {"Authorization": "Bearer admin"}
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers) as http:
            pull = SpoolPull(self.rig.db, CIPHER, http, resolver.town_of, resolver.wake)
            tasks = [asyncio.create_task(each.run()) for each in (sender, resolver, pull)]
            try:
                yield sender
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                await self.http.close()
        assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []

    async def states(self):
        async with self.rig.db.reading() as conn:
            rows = await conn.execute(sa.select(delivery.c.state, sa.func.count()).group_by(delivery.c.state))
            return dict(rows.all())

    async def until(self, wanted, seconds):
        async with asyncio.timeout(seconds):
            while (states := await self.states()) != wanted:
                await asyncio.sleep(0.05)
        return states


@asynccontextmanager
async def live(tmp_path, faults):
    async with AsyncExitStack() as stack:
        built = await stack.enter_async_context(rig(f"sqlite:///{tmp_path}/notify.sqlite"))
        built.clock.set(SystemClock().now())
        spool = Spool(tmp_path / "door.sqlite")
        stack.push_async_callback(spool.close)
        made = Live(built, spool)
        into_the_door = httpx.AsyncClient(transport=httpx.ASGITransport(made.door.http))
        client = await stack.enter_async_context(into_the_door)
        made.fake = FakeCarrier(poster=AppPoster(client), faults=faults)
        made.base = await stack.enter_async_context(made.fake.serving())
        yield made


def received(fake):
    return Counter(entry["text"] for entry in fake.ledger.entries if entry["kind"] == "message")


async def test_no_fault_loses_or_doubles_a_message(tmp_path):
    """Throttled, failed before and after, hung, reset; callbacks lost, doubled and forged."""
    async with live(tmp_path, FAULTS) as town:
        for number in range(120):
            await town.rig.plan(f"m-{number:03d}", lane=3, purpose=Purpose.WARNING.value)
        async with town.running():
            await town.until({MessageState.DELIVERED.value: 120}, 60)
        assert set(received(town.fake).values()) == {1}
        assert len(received(town.fake)) == 120


async def test_told_to_end_in_the_middle_and_started_again_sends_each_once(tmp_path):
    """What was in flight is waited for; what was not sent goes out after the restart."""
    async with live(tmp_path, FaultPlan(seed=3, slow_share=0.5, slow_s_max=0.2)) as town:
        for number in range(80):
            await town.rig.plan(f"m-{number:03d}", lane=3)
        for _ in range(4):
            async with town.running():
                await asyncio.sleep(0.15)
        async with town.running():
            await town.until({MessageState.DELIVERED.value: 80}, 30)
        assert set(received(town.fake).values()) == {1}


async def test_a_page_overtakes_a_running_broadcast(tmp_path):
    """900 texts are on their way at the sender's pace; the page is not the 901st."""
    async with live(tmp_path, FaultPlan()) as town:
        town.settings = town.settings.model_copy(update={"sms_segments_per_s": 50.0})
        for number in range(150):
            await town.rig.plan(f"b-{number:03d}", lane=3, rank=float(number))
        async with town.running() as sender:
            async with asyncio.timeout(10):
                while len(town.fake.ledger.entries) < 60:
                    await asyncio.sleep(0.01)
            sent_before = sum(received(town.fake).values())
            await town.rig.plan("page", lane=0, text="Pagina")
            sender.wake(TOWN)
            async with asyncio.timeout(10):
                while not received(town.fake)["Pagina"]:
                    await asyncio.sleep(0.01)
            assert sum(received(town.fake).values()) - sent_before <= 25


async def test_a_carrier_that_comes_back_is_served_again(tmp_path):
    async with live(tmp_path, FaultPlan(down=True)) as town:
        await town.rig.plan()
        async with town.running():
            async with asyncio.timeout(10):
                while (await town.rig.row()).state != MessageState.UNRESOLVED:
                    await asyncio.sleep(0.02)
            town.fake.faults.plan = FaultPlan()
            await town.until({MessageState.DELIVERED.value: 1}, 20)
        assert sum(received(town.fake).values()) == 1
