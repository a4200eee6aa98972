"""Wait until the town is at rest: everything said was decided, everything decided was handed over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from municipio.errors import DependencyDown
from schemas.topics import READINGS, READINGS_EXTERNAL, TOPICS
from services.runtime.kafka_access import KafkaAccess

PATIENCE_S: Final = 0.5
LOOK_EVERY_S: Final = 0.004
LOOK_EVERY_S_MAX: Final = 0.1

Ends = Mapping[TopicPartition, int]


def followed() -> dict[str, list[str]]:
    """Return the topics on which one service speaks to another, each with the groups that read it.

    Readings are not among them: triage itself says whether it has folded the tick behind them.
    """
    groups: dict[str, list[str]] = {}
    for topic in TOPICS:
        readers = {reader for kind in topic.types for reader in kind.consumers}
        if readers and topic not in (READINGS, READINGS_EXTERNAL):
            groups[topic.name] = [f"{reader}.{topic.name}" for reader in sorted(readers)]
    return groups


class Traffic(Protocol):
    """What is under way between the services."""

    async def ends(self) -> Ends:
        """Return where each partition ends now."""
        ...

    async def is_read(self, ends: Ends) -> bool:
        """Say whether every reader has acknowledged all that stood there."""
        ...


class KafkaTraffic:
    """Asks the broker, because a service cannot know of a record that it has not yet been given."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._groups = followed()
        self._partitions = [
            TopicPartition(topic.name, partition)
            for topic in TOPICS
            if topic.name in self._groups
            for partition in range(topic.partitions)
        ]
        self._consumer = AIOKafkaConsumer(**kafka.client(), enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(**kafka.client())

    async def __aenter__(self) -> KafkaTraffic:
        try:
            await asyncio.wait_for(self._consumer.start(), 10)
            await asyncio.wait_for(self._admin.start(), 10)
        except (KafkaError, TimeoutError) as err:
            await self._close()
            raise DependencyDown("Kafka does not answer, so nobody can say what is under way.") from err
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def ends(self) -> Ends:
        ends: Ends = await self._consumer.end_offsets(self._partitions)
        return ends

    async def is_read(self, ends: Ends) -> bool:
        asked = []
        for topic, groups in self._groups.items():
            wanted = {place: end for place, end in ends.items() if place.topic == topic and end > 0}
            asked += [self._has_read(group, wanted) for group in groups if wanted]
        return all(await asyncio.gather(*asked))

    async def _has_read(self, group: str, wanted: Ends) -> bool:
        read = await self._admin.list_consumer_group_offsets(group, partitions=list(wanted))
        return all(read[place].offset >= end for place, end in wanted.items())

    async def _close(self) -> None:
        await self._consumer.stop()
        await self._admin.close()


class NoTraffic:
    """For services that take each other's word without a broker."""

    async def ends(self) -> Ends:
        return {}

    async def is_read(self, ends: Ends) -> bool:
        return True


class Rest:
    """Says when the town is at rest, and when it wants to be woken.

    Args:
        http: Carries the administrator's token.
        within_s: Real seconds after which waiting is given up, with what was waited for.
    """

    def __init__(
        self, http: httpx.AsyncClient, urls: Mapping[str, str], traffic: Traffic, *, within_s: float = 60.0
    ) -> None:
        self._http = http
        self._urls = urls
        self._traffic = traffic
        self._within_s = within_s
        self._ends: Ends = {}
        self._ledger_end: int | None = None

    async def ask(self, service: str) -> dict[str, Any]:
        """Return what a service says of its own rest, as soon as it rests or a moment later."""
        url = f"{self._urls[service]}/admin/v1/quiescence"
        answer = await self._http.get(url, params={"within_s": PATIENCE_S})
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    async def until_quiet(self, now: datetime) -> list[datetime]:
        """Wait until nothing is under way at the town's time ``now``; return when services are next due.

        Raises:
            DependencyDown: It did not come to rest in time; the message says what was under way.
        """
        until_s, pause_s, why = time.monotonic() + self._within_s, LOOK_EVERY_S, "nothing was asked yet"
        while time.monotonic() < until_s:
            try:
                found = await self._look(now)
            except (httpx.HTTPError, KafkaError, OSError) as err:
                found = f"a service or the broker does not answer ({type(err).__name__})"
            if not isinstance(found, str):
                return found
            why = found
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LOOK_EVERY_S_MAX)
        raise DependencyDown(f"The town did not come to rest within {self._within_s:.0f} s at {now}: {why}.")

    async def _look(self, now: datetime) -> list[datetime] | str:
        if why := await self._outside():
            return why
        triage, (notify, carrier) = await asyncio.gather(
            self.ask("triage"), self._notify_and_then_the_carrier()
        )
        said = {"triage": triage, "notify": notify}
        for service, each in said.items():
            if why := unrest(service, each, now):
                return why
        if why := self._carrier_moved(carrier):
            return why
        # Last of all: what one of them said to the other before it was asked stands here.
        ends = await self._traffic.ends()
        if ends != self._ends:
            if not await self._traffic.is_read(ends):
                return "a record between two services is not yet handled"
            # What was just handled may have set something off: ask all of them once more.
            self._ends = dict(ends)
            return "services have just spoken to each other"
        return sorted([*dues([*said.values()]), *carrier_dues(carrier, now)])

    async def _notify_and_then_the_carrier(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Ask both, the carrier second: what left notify before its word then stands in the ledger."""
        return await self.ask("notify"), await self._carrier()

    async def _outside(self) -> str | None:
        """Return what is under way at the carrier or at the webhook door.

        All that reaches the door comes from the carrier and stands in its ledger, so while that has not
        grown since both were last found at rest, asking them again would tell nothing new.
        """
        if self._ledger_end is not None:
            return None
        carrier = await self._carrier()
        if carrier is not None and carrier["busy"]:
            return "the fake carrier is busy"
        if await self._spooled():
            return "an answer lies at the webhook door"
        self._ledger_end = carrier["ledger_end"] if carrier is not None else None
        return None

    def _carrier_moved(self, carrier: Mapping[str, Any] | None) -> str | None:
        """Return why the carrier's rest of before notify was asked no longer counts."""
        if carrier is None or (not carrier["busy"] and carrier["ledger_end"] == self._ledger_end):
            return None
        self._ledger_end = None
        return "the fake carrier is busy" if carrier["busy"] else "the fake carrier has just done something"

    async def _carrier(self) -> dict[str, Any] | None:
        """Return what the fake carrier has before it; ``None`` where there is none."""
        if "carrier" not in self._urls:
            return None
        answer = await self._http.get(f"{self._urls['carrier']}/_control")
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    async def _spooled(self) -> bool:
        if "door" not in self._urls:
            return False
        answer = await self._http.get(f"{self._urls['door']}/spool", params={"after": 0, "limit": 1})
        answer.raise_for_status()
        return bool(answer.json()["items"])


def unrest(service: str, said: Mapping[str, Any], now: datetime) -> str | None:
    """Return what keeps a service from being at rest at the town's time ``now``."""
    if said["busy"]:
        return f"{service} is busy: {said.get('detail', said['busy'])}"
    due = _due(said)
    if due is not None and due <= now:
        return f"{service} has a timer due at {due} that has not fired"
    ticks = said.get("detail", {}).get("ticks", {})
    # Another moment, not only an earlier one: a fresh town is set back to the time of the recording.
    if service == "triage" and any(datetime.fromisoformat(tick) != now for tick in ticks.values()):
        return "triage has not yet decided the tick of this moment"
    return None


def carrier_dues(said: Mapping[str, Any] | None, now: datetime) -> list[datetime]:
    """Return when the fake carrier, which follows the town's clock, will next deliver, ring or answer."""
    if said is None or said.get("next_due_s") is None:
        return []
    return [now + max(timedelta(seconds=said["next_due_s"] - said["now_s"]), timedelta(milliseconds=1))]


def dues(said: Sequence[Mapping[str, Any]]) -> list[datetime]:
    """Return when the services want to be woken, soonest first."""
    return sorted(due for due in map(_due, said) if due is not None)


def _due(said: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(said["next_due"]) if said.get("next_due") else None
