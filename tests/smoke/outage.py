"""A small town under load whose broker goes away, or is not there yet; several tests look at one run."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from municipio.errors import MunicipioError
from municipio.ports import Ports, free_ports
from municipio.stack import Stack
from services.runtime.clock import TownClock
from tests.chaos.rest import to_rest
from tests.chaos.script import Script, script
from tests.support.gather import evidence_of
from tests.support.kafka import KafkaCluster, broker_at
from tests.support.oracle import Evidence, Report, compare, read_town
from tests.support.towns import WrittenTown, write_town

TOWN = "corte"
ZONES, RESIDENTS = 10, 4
ROUND_S, RATE = 0.5, 20.0
BEGINS = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
HORIZON = timedelta(minutes=15)
SEED = 7
NAMES = {"Ana": "Zoraida Quintanilla", "Beto": "Wenceslao Ybarra", "Carla": "Xiomara Zelaya"}
# Ana says yes by SMS, Beto answers pages; nobody else says anything.
PHONES = [
    {
        "pattern": r"\+50370000001",
        "sms": [{"match": r"[Rr]esponda SI (\d{4})", "answer": r"SI \1", "after_ms": 15_000}],
    },
    {
        "pattern": r"\+50370000002",
        "sms": [{"match": r"[Rr]esponda OK (\d{4})", "answer": r"OK \1", "after_ms": 15_000}],
    },
]

Json = dict[str, Any]


@dataclass
class Run:
    """What was seen from outside.

    Attributes:
        answers: Status of each posting, in order; 0 where nobody answered.
        pids_before, pids_after: Of every process but the broker.
        drained_s: From the broker's return until every reading was counted and nothing waited.
        written: Every log, metric and word of the manager, by where it was found.
        texts: Every text that the carrier took.
    """

    town: WrittenTown
    report: Report
    answers: list[int]
    pids_before: dict[str, list[int]]
    pids_after: dict[str, list[int]]
    drained_s: float
    written: dict[str, str] = field(repr=False)
    texts: list[str] = field(repr=False)


class Networks:
    """Ten gauges that post each round once; a posting that is not taken is remembered, not tried again."""

    def __init__(self, stack: Stack, told: Script, clock: TownClock, key: str) -> None:
        self.accepted: list[Json] = []
        self.answers: list[int] = []
        self._told, self._clock = told, clock
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(
            base_url=stack.urls["ingest"], headers=headers, timeout=10, trust_env=False
        )

    async def play(self, rounds: range) -> None:
        """Post these rounds, one each half second."""
        began_s = time.monotonic()
        for at, round_ in enumerate(rounds):
            await asyncio.sleep(max(0.0, began_s + at * ROUND_S - time.monotonic()))
            await self._post(self._rows(round_))

    def _rows(self, round_: int) -> list[Json]:
        same = {
            "property": "river_level",
            "unit": "m",
            "observed_at": self._clock.now().isoformat(),
        }
        return [
            {"sensor_id": gauge, "value": values[round_], **same}
            for gauge, values in self._told.series.items()
        ]

    async def _post(self, rows: list[Json]) -> None:
        try:
            status = (await self._http.post("/v1/readings", json=rows)).status_code
        except httpx.HTTPError:
            status = 0
        self.answers.append(status)
        if status == 202:
            self.accepted += rows

    async def close(self) -> None:
        await self._http.aclose()


def broker_stopped(away_s: float) -> Run:
    """Play a load in whose middle the broker is stopped and started again."""
    with _folder() as folder:
        town = _town(folder)
        with Stack(folder / "data", ports=Ports.free(), municipalities_dir=town.folder.parent) as stack:
            stack.ready()
            return asyncio.run(_stopped(stack, town, away_s))


def broker_late(late_s: float) -> Run:
    """Start the services, post to them, and only then start the broker."""
    with _folder() as folder:
        town = _town(folder)
        port, controller = free_ports(2)
        kafka = KafkaCluster(broker_at(folder / "kafka", port, controller), f"127.0.0.1:{port}")
        stack = Stack(
            folder / "data",
            ports=Ports.free(),
            municipalities_dir=town.folder.parent,
            kafka_bootstrap=kafka.bootstrap,
        )
        try:
            with stack:
                return asyncio.run(_late(stack, town, kafka, late_s))
        finally:
            kafka.stop()


async def _stopped(stack: Stack, town: WrittenTown, away_s: float) -> Run:
    rounds = int((away_s + 15) / ROUND_S)
    before = _pids(stack)
    async with _networks(stack, town, rounds) as networks:
        load = asyncio.create_task(networks.play(range(rounds)))
        await asyncio.sleep(7)
        await asyncio.to_thread(stack.stop_broker)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(stack.start_broker)
        back_s = time.monotonic()
        await load
        await _drained(stack, networks.accepted)
        return await _told(stack, town, networks, before, time.monotonic() - back_s)


async def _late(stack: Stack, town: WrittenTown, kafka: KafkaCluster, late_s: float) -> Run:
    began_s = time.monotonic()
    await _until(lambda: stack.client().answers("ingest", "/healthz"), 60)
    before = _pids(stack)
    async with _networks(stack, town, 2 * int(late_s / ROUND_S)) as networks:
        rounds = range(2 * int(late_s / ROUND_S))
        load = asyncio.create_task(networks.play(rounds))
        await asyncio.sleep(max(0.0, began_s + late_s - time.monotonic()))
        await asyncio.to_thread(kafka.start)
        back_s = time.monotonic()
        await asyncio.to_thread(stack.ready)
        await load
        await _drained(stack, networks.accepted)
        return await _told(stack, town, networks, before, time.monotonic() - back_s)


async def _told(
    stack: Stack, town: WrittenTown, networks: Networks, before: dict[str, list[int]], drained_s: float
) -> Run:
    until = await to_rest(stack, HORIZON)
    told = evidence_of(
        stack.client(), stack.urls["carrier"], TOWN, networks.accepted, started_at=BEGINS, until=until
    )
    return Run(
        town,
        compare(Evidence.read(told), read_town(town.folder)),
        networks.answers,
        before,
        _pids(stack),
        drained_s,
        _written(stack),
        [row["text"] for row in told["ledger"] if row["kind"] == "message"],
    )


@asynccontextmanager
async def _networks(stack: Stack, town: WrittenTown, rounds: int) -> AsyncIterator[Networks]:
    await _until(lambda: stack.client().answers("carrier", "/_control"), 60)
    async with httpx.AsyncClient(trust_env=False) as http:
        taught = await http.post(f"{stack.urls['carrier']}/_control/phones", json={"rules": PHONES})
        taught.raise_for_status()
    made = await _retried(
        lambda: stack.client().post("ingest", "/admin/v1/keys", {"municipality": TOWN, "name": "gauges"})
    )
    path = stack.copy.clock_file
    TownClock.write(path, BEGINS, RATE)
    told = script(SEED, town.sensors, rounds, (), 0)
    networks = Networks(stack, told, TownClock(path), str(made["key"]))
    try:
        yield networks
    finally:
        await networks.close()


async def _drained(stack: Stack, accepted: Sequence[Json], within_s: float = 90) -> None:
    """Wait until triage counts every reading and no service holds a record back."""
    client = stack.client()

    def is_so() -> bool:
        verdicts = client.items("triage", "/admin/v1/verdicts", municipality=TOWN)
        asked = [client.get(name, "/admin/v1/quiescence") for name in ("ingest", "triage", "notify")]
        waits = sum(said["detail"]["unpublished"] for said in asked)
        return waits == 0 and sum(row["count"] for row in verdicts) == len(accepted)

    await _until(is_so, within_s)


async def _retried(ask: Callable[[], Json], within_s: float = 60) -> Json:
    until_s = time.monotonic() + within_s
    while True:
        try:
            return await asyncio.to_thread(ask)
        except MunicipioError:
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.2)


async def _until(is_so: Callable[[], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(_holds, is_so):
            await asyncio.sleep(0.2)


def _holds(is_so: Callable[[], bool]) -> bool:
    try:
        return is_so()
    except MunicipioError:
        return False


def _pids(stack: Stack) -> dict[str, list[int]]:
    return {info.name: [info.pid] for info in stack.info() if info.name != "kafka"}


def _written(stack: Stack) -> dict[str, str]:
    """Return all that is written without being asked for: logs, metrics, the manager's words."""
    folders = (stack.copy.logs, stack.copy.data / "supervisor", stack.copy.data / "kafka")
    found = {
        str(path.relative_to(stack.copy.data)): path.read_text(errors="replace")
        for folder in folders
        for path in folder.glob("*.log*")
    }
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    for name in ("ingest", "triage", "notify", "door"):
        answer = httpx.get(f"{stack.urls[name]}/metrics", headers=headers, trust_env=False)
        found[f"{name} /metrics"] = answer.raise_for_status().text
    return found


def _town(folder: Path) -> WrittenTown:
    """Write a town whose people have names that nothing else is called by."""
    town = write_town(folder / "municipalities", TOWN, zones=ZONES, residents_per_zone=RESIDENTS)
    for name in ("directory.csv", "operators.yaml"):
        path = town.folder / name
        text = path.read_text(encoding="utf-8")
        for old, new in NAMES.items():
            text = text.replace(f",{old},", f",{new},").replace(f'"{old}"', f'"{new}"')
        path.write_text(text, encoding="utf-8")
    return town


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="municipio-outage-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
