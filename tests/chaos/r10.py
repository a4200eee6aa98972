"""R10: status callbacks are dropped, doubled and reordered; how every message ended is known all the same."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from municipio.errors import MunicipioError
from schemas.events.messages import MessageUpdated
from schemas.topics import MESSAGES
from tests.chaos.campaign import TOWN, Json, Order, Outcome, Scene, Trial, play, say
from tests.chaos.carrying import ends, faults_met, follow, taken_back, wrong
from tests.support.gather import carrier_ledger

KNOWN_WITHIN_S = 120.0
# A message of which nobody spoke is asked for after so long; a minute is the default.
ASKED_AFTER_S = {"ci": "20", "night": "60"}
LOOK_EVERY_S = 2.0
MOST_SAID = 10
BENT = ("callback_dropped", "callback_doubled", "callback_late")
PLAN = {
    "callback_drop_share": 0.3,
    "callback_double_share": 0.3,
    "callback_late_share": 0.5,
    # In seconds of the town's clock: up to ten real ones, longer than a text is under way.
    "callback_late_s_max": 300.0,
    # Filtered by the network: these do not arrive, and nobody may believe that they did.
    "suffix_codes": {"7": 30007},
}


class Watch:
    """Compares again and again what the carrier did with what the town says of it.

    Attributes:
        late_s: Of each message that ended, for how long the town did not know how.
        wrong: What the town says wrongly at present, by message.
    """

    def __init__(self) -> None:
        self.late_s: dict[str, float] = {}
        self.wrong: dict[str, str] = {}

    async def go_on(self, scene: Scene) -> None:
        while True:
            await self.look(scene)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, scene: Scene) -> None:
        try:
            ended = ends(await asyncio.to_thread(carrier_ledger, scene.stack.urls["carrier"]), TOWN)
            messages = await asyncio.to_thread(
                scene.stack.client().items, "notify", "/admin/v1/messages", municipality=TOWN, limit=5000
            )
        except MunicipioError:
            return
        now, self.wrong = datetime.now(UTC), wrong(ended, messages)
        for message_id, (_, at) in ended.items():
            if message_id in self.wrong:
                self.late_s.pop(message_id, None)
            else:
                self.late_s.setdefault(message_id, (now - at).total_seconds())

    async def until_right(self, scene: Scene) -> None:
        """Return once all is known, or when even the last message had its time."""
        until_s = time.monotonic() + KNOWN_WITHIN_S
        await self.look(scene)
        while self.wrong and time.monotonic() < until_s:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look(scene)


def run(order: Order) -> Json:
    return play(order, _trial(order, Watch()))


def _trial(order: Order, watch: Watch) -> Trial:
    watching: list[asyncio.Task[None]] = []

    async def bend(scene: Scene) -> Outcome:
        await follow(scene.stack.urls["carrier"], {**PLAN, "seed": scene.order.seed})
        watching.append(asyncio.create_task(watch.go_on(scene)))
        return Outcome()

    async def judge(scene: Scene, outcome: Outcome) -> None:
        watching[0].cancel()
        await watch.until_right(scene)
        met = await faults_met(scene.stack.urls["carrier"])
        outcome.fired = sum(met.get(fault, 0) for fault in BENT)
        slowest_s = max(watch.late_s.values(), default=0.0)
        outcome.facts |= {
            "faults_met": met,
            "ended": len(watch.late_s),
            "known_after_s_most": round(slowest_s, 1),
        }
        outcome.broken += list(watch.wrong.values())[:MOST_SAID]
        outcome.broken += [f"never took effect: {fault}" for fault in BENT if not met.get(fault)]
        if slowest_s > KNOWN_WITHIN_S:
            outcome.broken.append(f"how a message ended was known after {slowest_s:.0f} s")
        outcome.broken += taken_back(await _history(scene.stack.bootstrap))[:MOST_SAID]
        say(f"   {met}; {len(watch.late_s)} messages ended, the last known after {slowest_s:.1f} s")

    return Trial(
        "R10",
        bend,
        rounds={"ci": 40, "night": 400},
        round_s=0.5,
        environment={"MUNICIPIO_POLL_AFTER_S": ASKED_AFTER_S[order.scale]},
        afterwards=judge,
    )


async def _history(bootstrap: str) -> list[tuple[str, str]]:
    """Return every message's states as they were told, in order."""
    places = [TopicPartition(MESSAGES.name, partition) for partition in range(MESSAGES.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends_at = await consumer.end_offsets(places)
        told: list[tuple[str, str]] = []
        while any([await consumer.position(place) < ends_at[place] for place in places]):
            batches = await consumer.getmany(timeout_ms=1000, max_records=2000)
            for record in (each for batch in batches.values() for each in batch):
                event = MessageUpdated.model_validate_json(record.value)
                told += [(each.message_id, each.state.value) for each in event.messages]
    finally:
        await consumer.stop()
    return told
