"""R13: every event three times and up to an hour out of order; the town ends as if each had come once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx

from municipio.ports import Ports
from municipio.stack import Stack
from schemas.topics import READINGS
from services.runtime.clock import TownClock
from services.triage.domain.incident import incident_id_of
from services.triage.domain.state import TownState
from tests.chaos.bare import bare_item
from tests.chaos.campaign import BEGINS, ENVIRONMENT, TOWN, Json, Order, say
from tests.chaos.rest import to_rest
from tests.support.towns import LEVELS, WrittenTown, write_town

GAUGES = 100
READINGS_EACH = 200
EVERY = timedelta(minutes=1)
WINDOW = timedelta(hours=1)
COPIES = 3
ROWS_A_POST = 500
LEVELS_M = (1.8, 2.7, 3.1, 3.7)


def run(order: Order) -> Json:
    shutil.rmtree(order.folder, ignore_errors=True)
    town = write_town(
        order.folder / "municipalities",
        TOWN,
        zones=GAUGES,
        residents_per_zone=1,
        lateness_s=int(WINDOW.total_seconds()),
        silent_after="P7D",
    )
    events = _events(order, town.sensors)
    say(f"R13 {order.database}: {len(events)} events, {COPIES} times and out of order")
    began_s = time.monotonic()
    in_turn = _ends(order, town, events, "in-turn", again=False)
    mixed = _ends(order, town, _mixed(order, events, gauges=GAUGES), "mixed", again=True)
    return _judge(order, events, in_turn, mixed, time.monotonic() - began_s)


def _events(order: Order, gauges: Sequence[str]) -> list[Json]:
    """Draw rivers that rise and fall between four heights, with some noise; in the order observed."""
    draw = random.Random(f"R13 {order.seed}")
    rows = []
    for gauge in gauges:
        height = 0
        for number in range(READINGS_EACH):
            if draw.random() < 0.05:
                height = min(3, max(0, height + draw.choice((-1, 1))))
            rows.append(_row(gauge, number, round(LEVELS_M[height] + draw.uniform(-0.05, 0.05), 3)))
    return sorted(rows, key=lambda row: (row["observed_at"], row["sensor_id"]))


def _row(gauge: str, number: int, value: float) -> Json:
    return {
        "sensor_id": gauge,
        "property": "river_level",
        "value": value,
        "unit": "m",
        "observed_at": (BEGINS + number * EVERY).isoformat(),
    }


def _mixed(order: Order, events: Sequence[Json], *, gauges: int) -> list[Json]:
    """Return every event as often as there are copies, each up to an hour later than it was observed."""
    draw = random.Random(f"R13 order {order.seed}")
    minutes = WINDOW / EVERY
    late = [
        (index // gauges + draw.uniform(0, minutes), index)
        for index in range(len(events))
        for _ in range(COPIES)
    ]
    return [events[index] for _, index in sorted(late)]


def _ends(order: Order, town: WrittenTown, rows: Sequence[Json], name: str, *, again: bool) -> Json:
    """Play the rows into a fresh copy and return how the town ends."""
    stack = Stack(
        order.folder / name,
        ports=Ports.free(),
        municipalities_dir=town.folder.parent,
        database_url=order.cluster.url if order.cluster else None,
        environment=ENVIRONMENT,
    )
    with stack:
        stack.ready()
        return asyncio.run(_played(stack, rows, again=again))


async def _played(stack: Stack, rows: Sequence[Json], *, again: bool) -> Json:
    at = BEGINS + READINGS_EACH * EVERY + WINDOW
    TownClock.write(stack.copy.clock_file, at, 0)
    headers = {"Authorization": f"Bearer {stack.source_key(TOWN)}"}
    async with httpx.AsyncClient(
        base_url=stack.urls["ingest"], headers=headers, timeout=30, trust_env=False
    ) as http:
        for start in range(0, len(rows), ROWS_A_POST):
            answer = await http.post("/v1/readings", json=list(rows[start : start + ROWS_A_POST]))
            assert answer.status_code == 202, answer.text
            assert not answer.json()["rejected_count"], answer.text
    if again:  # Triage, too, meets each event a second time.
        await asyncio.to_thread(
            stack.client().post, "ingest", f"/admin/v1/republish?topic={READINGS.name}", {}
        )
    # A moment that was not ticked before: its tick stands behind all that was posted.
    TownClock.write(stack.copy.clock_file, at + EVERY, 0)
    await to_rest(stack, timedelta(0))
    return await asyncio.to_thread(_end, stack)


def _end(stack: Stack) -> Json:
    client = stack.client()
    verdicts = client.items("triage", "/admin/v1/verdicts", municipality=TOWN)
    incidents = client.items("triage", "/admin/v1/incidents", municipality=TOWN, limit=2000)
    return {
        "counted": {row["sensor_id"]: [row["count"], row["digest"]] for row in verdicts},
        "settled": {
            f"{row['sensor_id']} {rule}": track["settled"]
            for row in verdicts
            for rule, track in row["conditions"].items()
        },
        "incidents": sorted(
            [one["hazard"], sorted(one["zones"]), one["level"], one["state"]] for one in incidents
        ),
        "ids": {",".join(sorted(one["zones"])): one["incident_id"] for one in incidents},
    }


def hash_of(end: Json) -> str:
    """Return the hash of how a town ended. Ids are apart: each names the reading that raised first."""
    said = {name: end[name] for name in ("counted", "settled", "incidents")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def possible_ids(events: Sequence[Json]) -> dict[str, list[str]]:
    """Return, by zone, the id that its incident has when a reading raised it; in the order observed."""
    town, lowest_m = TownState(TOWN), min(up for _, up, _ in LEVELS)
    found: dict[str, list[str]] = {}
    for row in events:
        if row["value"] >= lowest_m:
            number, at = row["sensor_id"].removeprefix("g-"), datetime.fromisoformat(row["observed_at"])
            made = incident_id_of(town, f"r-{number}", f"z-{number}", at)
            found.setdefault(f"z-{number}", []).append(made)
    return found


def strange_ids(events: Sequence[Json], in_turn: Json, mixed: Json) -> list[str]:
    """Return whose incident is not named after the first reading that could raise it, or mixed, after any."""
    possible = possible_ids(events)
    broken = []
    if in_turn["ids"] != {zone: ids[0] for zone, ids in possible.items()}:
        broken.append("in turn, an incident is not named after the first reading at its level")
    for zone in possible.keys() | mixed["ids"].keys():
        if mixed["ids"].get(zone) not in possible.get(zone, []):
            broken.append(
                f"out of order, the incident of {zone} is named after no reading that could raise it"
            )
    return broken


def _judge(order: Order, events: Sequence[Json], in_turn: Json, mixed: Json, took_s: float) -> Json:
    broken = strange_ids(events, in_turn, mixed)
    for name in ("counted", "settled", "incidents"):
        if in_turn[name] != mixed[name]:
            broken.append(f"{name} differ: {_difference(in_turn[name], mixed[name])}")
    counted = sum(count for count, _ in mixed["counted"].values())
    same = len(set(in_turn["ids"].values()) & set(mixed["ids"].values()))
    planted = {**mixed, "settled": dict(list(mixed["settled"].items())[1:])}
    say(f"   {hash_of(in_turn)[:16]} in turn, {hash_of(mixed)[:16]} mixed, {same} incident ids the same")
    return bare_item(
        order,
        "R13",
        load=len(events),
        fired=len(events) * COPIES,
        lost=max(0, len(events) - counted),
        duplicates=max(0, counted - len(events)) + max(0, len(mixed["ids"]) - len(in_turn["ids"])),
        recovered_s=0.0,
        is_planted_found=hash_of(planted) != hash_of(in_turn),
        broken=broken,
        incidents=len(mixed["ids"]),
        same_ids=same,
        took_s=round(took_s, 1),
    )


def _difference(one: object, other: object) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in one | other if one.get(key) != other.get(key)]
        return ", ".join(f"{key}: {one.get(key)} and {other.get(key)}" for key in keys[:3])
    return f"{str(one)[:200]} and {str(other)[:200]}"
