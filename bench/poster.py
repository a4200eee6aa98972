"""A sensor network as a program: posts readings over connections that stay open, and says what was answered.

It builds its bodies before it starts, so that what is measured is the door and not this program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvloop

LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER_WITHIN_S: Final = 60.0
TAKEN: Final = 202
Json = dict[str, Any]  # Any: a JSON document


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._seen = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the door closed the connection"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        if self._transport is None:
            raise ConnectionError("not connected")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await self._answer

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, rest = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        said = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(rest) >= int(said or b"0") and self._answer is not None:
            self._seen = b""
            self._answer.set_result((int(head[9:12]), rest))


class Readings:
    """Readings that never come twice: gauge by gauge, minute by minute, as quiet as a dry season.

    ``at`` dates them; without it they are as old as a recording, one minute apart.
    """

    def __init__(self, gauges: Sequence[str], value: float, at: Callable[[], datetime] | None = None) -> None:
        self._gauges = gauges
        self._value = value
        self._at = at
        self._count = 0

    def rows(self, count: int) -> list[Json]:
        return [self._row() for _ in range(count)]

    def _row(self) -> Json:
        turn, place = divmod(self._count, len(self._gauges))
        self._count += 1
        observed_at = self._at() if self._at else LONG_AGO + timedelta(minutes=turn)
        return {
            "sensor_id": self._gauges[place],
            "property": "river_level",
            "value": round(self._value + turn % 20 / 1000, 3),
            "unit": "m",
            "observed_at": observed_at.isoformat(),
        }


def request_of(url: str, key: str, document: object) -> bytes:
    parts, body = urlsplit(url), json.dumps(document).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connected(url: str) -> Line:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(Line, parts.hostname or "127.0.0.1", parts.port or 80)
    return line


def accepted(answer: tuple[int, bytes], expected: int) -> int:
    """Return how many readings an answer accepts.

    Raises:
        RuntimeError: Not all of them.
    """
    status, body = answer
    count = int(json.loads(body)["accepted"]) if status == TAKEN else 0
    if count != expected:
        raise RuntimeError(f"{status}: {body[:200]!r}")
    return count


async def flood(told: argparse.Namespace) -> Json:
    """Post all as fast as the door answers."""
    readings = Readings(told.gauges.split(","), told.value)
    bodies = [readings.rows(told.rows) for _ in range(told.posts)]
    waiting = iter([request_of(told.url, told.key, rows[0] if told.rows == 1 else rows) for rows in bodies])
    lines = [await connected(told.url) for _ in range(told.connections)]
    began_s = time.monotonic()
    counts = await asyncio.gather(*(_all_of(line, waiting, told.rows) for line in lines))
    return {"seconds": time.monotonic() - began_s, "accepted": sum(counts)}


async def _all_of(line: Line, waiting: Iterator[bytes], rows: int) -> int:
    return sum([accepted(await line.ask(request), rows) for request in waiting])


async def probes(told: argparse.Namespace) -> Json:
    """Post one alarming reading a gauge, at irregular moments, and say when each was sent and answered."""
    chance, gauges = random.Random(told.seed), told.gauges.split(",")
    lines = [await connected(told.url) for _ in range(told.connections)]
    began_s, sent, tasks = time.monotonic(), {}, []

    async def one(place: int, gauge: str) -> None:
        document = Readings([gauge], told.value, lambda: datetime.now(UTC)).rows(1)[0]
        request = request_of(told.url, told.key, document)
        sent_at = time.time()
        accepted(await lines[place % len(lines)].ask(request), 1)
        sent[gauge] = [sent_at, time.time()]

    for place, gauge in enumerate(gauges):
        due_s = began_s + (place + chance.uniform(0, 0.8)) * told.every_s
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        tasks.append(asyncio.create_task(one(place, gauge)))
    await asyncio.gather(*tasks)
    return {"seconds": time.monotonic() - began_s, "accepted": len(sent), "sent": sent}


async def background(told: argparse.Namespace) -> Json:
    """Post ``rows`` readings every ``every_s`` until told to stop; what cannot be kept up with is said."""
    readings = Readings(told.gauges.split(","), told.value, lambda: datetime.now(UTC))
    lines = [await connected(told.url) for _ in range(told.connections)]
    began_s, count, posts = time.monotonic(), 0, 0
    stopped = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    running: set[asyncio.Task[int]] = set()
    while not stopped.done():
        await asyncio.sleep(max(0.0, began_s + posts * told.every_s - time.monotonic()))
        if len(running) >= len(lines):
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            count += sum(each.result() for each in done)
        request = request_of(told.url, told.key, readings.rows(told.rows))
        running.add(asyncio.create_task(_one(lines[posts % len(lines)], request, told.rows)))
        posts += 1
    count += sum(await asyncio.gather(*running))
    return {"seconds": time.monotonic() - began_s, "accepted": count}


async def _one(line: Line, request: bytes, rows: int) -> int:
    return accepted(await line.ask(request), rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.poster", description=__doc__)
    parser.add_argument("how", choices=("flood", "probes", "background"))
    for name in ("url", "key", "gauges"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("posts", "rows", "connections", "seed"):
        parser.add_argument(f"--{name}", type=int, default=1)
    parser.add_argument("--every-s", type=float, default=0.1)
    parser.add_argument("--value", type=float, default=0.3)
    told = parser.parse_args()
    part = {"flood": flood, "probes": probes, "background": background}[told.how]
    sys.stdout.write(json.dumps(uvloop.run(part(told))) + "\n")


if __name__ == "__main__":
    main()
