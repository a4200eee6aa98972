"""R11: ten thousand broken records where outsiders write; each is accounted for, none stops a partition."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from confluent_kafka import KafkaError, Message, Producer

from municipio.ports import Ports
from municipio.stack import Stack
from schemas.envelope import Envelope
from schemas.topics import READINGS_EXTERNAL
from services.runtime.clock import TownClock
from tests.chaos.bare import bare_item
from tests.chaos.campaign import BEGINS, TOWN, Json, Order, say
from tests.support.towns import write_town

FUZZED, GOOD_EACH = 10_000, 5
GAUGES = 20
LARGE = 40
LARGE_BYTES = 900_000
WITHIN_S = 30.0
LOOK_EVERY_S = 0.2
# All of it becomes dead letters: a source that is muted for its poison is another test's.
ENVIRONMENT = {"MUNICIPIO_INGEST_POISON_MOST": "1000000"}

Headers = list[tuple[str, bytes | None]]
Place = tuple[int, int]
Written = tuple[Headers, bytes | None]


def run(order: Order) -> Json:
    shutil.rmtree(order.folder, ignore_errors=True)
    town = write_town(order.folder / "municipalities", TOWN, zones=GAUGES, residents_per_zone=1)
    stack = Stack(
        order.folder / "data",
        ports=Ports.free(),
        municipalities_dir=town.folder.parent,
        database_url=order.cluster.url if order.cluster else None,
        environment=ENVIRONMENT,
    )
    with stack:
        stack.ready()
        TownClock.write(stack.copy.clock_file, BEGINS, 0)
        say(f"R11 {order.database}: {FUZZED} broken records, {FUZZED // GOOD_EACH} good ones")
        return _judge(order, *_play(order, stack, town.sensors))


def _play(order: Order, stack: Stack, gauges: Sequence[str]) -> tuple[set[Place], set[Place], int, float]:
    """Write and wait; return where the broken stood, where dead letters say so, readings taken, seconds."""
    draw = random.Random(f"R11 {order.seed}")
    fuzzed = {id(each): each for each in _fuzzed(draw)}
    records = [*fuzzed.values(), *_good(draw, gauges)]
    draw.shuffle(records)
    broken: set[Place] = set()

    def note(record: Written, place: Place) -> None:
        if id(record) in fuzzed:
            broken.add(place)

    began_s = time.monotonic()
    _write(stack.bootstrap, draw, records, note)
    good = len(records) - len(fuzzed)
    dead, taken = asyncio.run(_accounted(stack, len(broken), good, began_s))
    return broken, dead, taken, time.monotonic() - began_s


def _write(
    bootstrap: str,
    draw: random.Random,
    records: Sequence[Written],
    noted: Callable[[Written, Place], None],
) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "log_level": 0, "queue.buffering.max.kbytes": 200_000}
    )

    def done(record: Written) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            noted(record, (partition, offset))

        return note

    for record in records:
        headers, value = record
        producer.produce(
            READINGS_EXTERNAL.name,
            value,
            key=draw.randbytes(4),
            headers=list(headers),
            on_delivery=done(record),
        )
        producer.poll(0)
    assert producer.flush(4 * WITHIN_S) == 0, "the broker did not take everything"


async def _accounted(stack: Stack, broken: int, good: int, began_s: float) -> tuple[set[Place], int]:
    """Return the dead letters' places and the readings taken, once they are all there or time is over."""
    client = stack.client()
    while True:
        status = await asyncio.to_thread(client.get, "ingest", "/admin/v1/status")
        accepted = await asyncio.to_thread(client.get, "ingest", "/admin/v1/accepted", municipality=TOWN)
        taken = sum(row["count"] for row in accepted["items"])
        is_late = time.monotonic() - began_s > 2 * WITHIN_S
        if (status["dead_letters"] >= broken and taken >= good) or is_late:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    letters = await asyncio.to_thread(client.items, "ingest", "/admin/v1/dead-letters", limit=1000)
    return {(letter["partition"], letter["offset"]) for letter in letters}, taken


def _judge(order: Order, broken: set[Place], dead: set[Place], taken: int, took_s: float) -> Json:
    good = FUZZED // GOOD_EACH
    lost = len(broken - dead) + max(0, good - taken)
    gone = draw_one(order, dead)
    sentences = []
    if len(broken) != FUZZED:
        sentences.append(f"{len(broken)} broken records were written, not {FUZZED}")
    if took_s > WITHIN_S:
        sentences.append(f"accounting took {took_s:.1f} s, {WITHIN_S:.0f} at most are allowed")
    say(f"   {len(broken & dead)} of {FUZZED} buried, {taken} of {good} taken after {took_s:.1f} s")
    return bare_item(
        order,
        "R11",
        load=FUZZED + good,
        fired=len(broken & dead),
        lost=lost,
        unexpected=len(dead - broken) + max(0, taken - good),
        recovered_s=took_s,
        is_planted_found=len(broken - (dead - {gone})) == len(broken - dead) + 1,
        broken=sentences,
        accounted=len(broken & dead),
    )


def draw_one(order: Order, dead: set[Place]) -> Place:
    return random.Random(f"R11 loss {order.seed}").choice(sorted(dead))


def _good(draw: random.Random, gauges: Sequence[str]) -> Iterator[Written]:
    for number in range(FUZZED // GOOD_EACH):
        at = BEGINS - timedelta(seconds=number)
        said = {
            "sensor_id": gauges[number % len(gauges)],
            "property": "river_level",
            "value": round(draw.uniform(1.0, 2.0), 3),
            "unit": "m",
            "observed_at": at.isoformat(),
        }
        yield _headers(f"good-{number}", "red-buena"), json.dumps(said).encode()


def _headers(name: str, source: str) -> Headers:
    return [*Envelope(name, source, "reading.published", BEGINS, TOWN).headers()]


def _fuzzed(draw: random.Random) -> Iterator[Written]:
    """Yield records none of which can be a reading, every kind about as often."""
    for number in range(FUZZED):
        headers = _headers(f"bad-{number}", f"red-{draw.randrange(50)}")
        if number < LARGE:
            yield headers, draw.randbytes(LARGE_BYTES)
        else:
            yield KINDS[number % len(KINDS)](draw, headers)


def _random_bytes(draw: random.Random, headers: Headers) -> Written:
    return headers, draw.randbytes(draw.randrange(1, 400))


def _no_headers(draw: random.Random, _: Headers) -> Written:
    return [], draw.randbytes(draw.randrange(0, 400))


def _header_not_utf8(draw: random.Random, headers: Headers) -> Written:
    at = draw.randrange(5)
    return [*headers[:at], (headers[at][0], b"\xff\xfe" + draw.randbytes(8)), *headers[at + 1 :]], b"{}"


def _null_header(draw: random.Random, headers: Headers) -> Written:
    at = draw.randrange(5)
    return [*headers[:at], (headers[at][0], None), *headers[at + 1 :]], b"{}"


def _header_twice(draw: random.Random, headers: Headers) -> Written:
    return [*headers, headers[draw.randrange(6)]], b"{}"


def _tombstone(_: random.Random, headers: Headers) -> Written:
    return headers, None


def _deep(draw: random.Random, headers: Headers) -> Written:
    opening = draw.choice([b"[", b'{"a":'])
    return headers, opening * draw.randrange(2_000, 20_000)


def _deep_and_closed(draw: random.Random, headers: Headers) -> Written:
    depth = draw.randrange(2_000, 20_000)
    return headers, b"[" * depth + b"]" * depth


def _wrong_shape(draw: random.Random, headers: Headers) -> Written:
    shapes: list[object] = [None, 1, "x", [], {}, [{}], {"sensor_id": 5}, {"sensor_id": "g-001"}, True]
    return headers, json.dumps(draw.choice(shapes)).encode()


def _wrong_value(draw: random.Random, headers: Headers) -> Written:
    said = {
        "sensor_id": "g-001",
        "property": "river_level",
        "value": 1.5,
        "unit": "m",
        "observed_at": BEGINS.isoformat(),
    }
    wrong: dict[str, Sequence[object]] = {
        "value": (None, "much", [1], float("nan"), float("inf"), True),
        "unit": (None, 7, "furlongs", "m\x00"),
        "observed_at": (None, "yesterday", 5, "2026-05-05T08:00:00", "2999-01-01T00:00:00Z"),
        "sensor_id": (None, "", "x" * 500, "g\x00", {}),
        "property": (None, "happiness", 3),
    }
    field = draw.choice(sorted(wrong))
    return headers, json.dumps(said | {field: draw.choice(wrong[field])}).encode()


def _strange_town(draw: random.Random, headers: Headers) -> Written:
    town = ("ce_municipality", draw.choice([b"atlantis", b"*", b"", b"CAOS"]))
    return [town if name == "ce_municipality" else (name, raw) for name, raw in headers], b"{}"


def _strange_type(draw: random.Random, headers: Headers) -> Written:
    kind = (
        "ce_type",
        draw.choice([b"incident.classified", b"sensor.measured", b"x", b"coordinator.decided"]),
    )
    return [kind if name == "ce_type" else (name, raw) for name, raw in headers], b"{}"


def _asks_for_an_answer(draw: random.Random, headers: Headers) -> Written:
    return [*headers, ("reply_to", b"decisions"), ("correlation_id", draw.randbytes(8))], b"{}"


KINDS: tuple[Callable[[random.Random, Headers], Written], ...] = (
    _random_bytes,
    _no_headers,
    _header_not_utf8,
    _null_header,
    _header_twice,
    _tombstone,
    _deep,
    _deep_and_closed,
    _wrong_shape,
    _wrong_value,
    _strange_town,
    _strange_type,
    _asks_for_an_answer,
)
