"""Move the town's clock through a recording and post what was seen when."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import httpx

from municipio.errors import DependencyDown, Refused, WrongUse
from municipio.kafka import access
from municipio.quiet import KafkaTraffic, NoTraffic, Rest
from municipio.rows import LISTED_MOST, Findings, Recorded
from services.runtime.clock import TownClock

SCHEMA: Final = "municipio/replay/1"
ROWS_A_POST: Final = 2000
POST_WITHIN_S: Final = 60.0
AGAIN_S: Final = 0.25
HAIR: Final = timedelta(microseconds=1)
"""By which the clock moves after a posting, so that the tick behind it is told from one before it."""

Progress = Callable[["Summary"], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The running copy.

    Attributes:
        urls: Of ``ingest``, ``triage`` and ``notify``; where ``door`` and ``carrier`` are named, they have
            to come to rest too, and what the carrier does later is a stop of its own.
        key: For ``POST /v1/readings``; without it one is made, and revoked at the end.
        kafka_bootstrap: By which ``max`` sees what is under way between services; without it their own
            word is taken.
    """

    municipality: str
    urls: Mapping[str, str]
    admin_token: str
    town_clock_file: Path
    key: str | None = None
    kafka_bootstrap: str | None = None


@dataclass(slots=True)
class Summary:
    """What was played and what became of it."""

    files: list[str]
    findings: Findings = field(default_factory=Findings)
    readings: int = 0
    steps: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    town_now: datetime | None = None
    duration_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the document that ``municipio replay --json`` prints."""
        names = ("accepted", "duplicates", "corrections", "quarantined", "rejected_count")
        return {
            "schema": SCHEMA,
            "files": self.files,
            "rows": self.findings.rows,
            "readings": self.readings,
            **{name: self.counts.get(name, 0) for name in names},
            "rejected": self.rejected,
            "missing": self.findings.missing,
            "unknown_columns": self.findings.unknown_columns,
            "broken_count": self.findings.broken_count,
            "broken": [
                {"file": each.file, "row": each.row, "reason": each.reason} for each in self.findings.broken
            ],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "steps": self.steps,
            "duration_s": round(self.duration_s, 3),
            "steps_per_s": round(self.steps / self.duration_s, 1) if self.duration_s else None,
        }


def next_stop(reading_at: datetime | None, due: Iterable[datetime], now: datetime) -> datetime | None:
    """Return where the clock stops next: at a due time before the next reading, else at that reading.

    ``None`` when there is no further reading: what is due later is the town's own future. A due time
    that has passed already was waited for, so it does not count.
    """
    if reading_at is None:
        return None
    return min((moment for moment in due if now < moment < reading_at), default=max(reading_at, now))


def moments(readings: Iterable[Recorded]) -> Iterator[tuple[datetime, list[Recorded]]]:
    """Yield what is played at one moment together, as much of it as one posting takes."""
    for at, same in groupby(readings, key=lambda reading: reading.at):
        batch: list[Recorded] = []
        for reading in same:
            batch.append(reading)
            if len(batch) == ROWS_A_POST:
                yield at, batch
                batch = []
        if batch:
            yield at, batch


class Player:
    """Moves the clock and posts."""

    def __init__(
        self, summary: Summary, target: Target, http: httpx.AsyncClient, key: str, progress: Progress
    ) -> None:
        self._summary = summary
        self._target = target
        self._http = http
        self._key = key
        self._progress = progress

    async def steps(self, played: Iterable[tuple[datetime, list[Recorded]]]) -> None:
        """Go from one reading or due time to the next, each time only when the town is at rest."""
        async with contextlib.AsyncExitStack() as stack:
            where = self._target.kafka_bootstrap
            traffic = await stack.enter_async_context(KafkaTraffic(access(where))) if where else NoTraffic()
            rest = Rest(self._http, self._target.urls, traffic)
            now: datetime | None = None
            due: list[datetime] = []
            for at, readings in played:
                if now is None:
                    now = await self._begins(at, 0)
                while (stop := next_stop(at, due, now)) is not None and stop < at:
                    now, due = await self._step(rest, stop, [])
                now, due = await self._step(rest, max(at, now), readings)

    async def runs(self, played: Iterable[tuple[datetime, list[Recorded]]], rate: float) -> None:
        """Let the clock run and post each reading when its time has come."""
        clock: TownClock | None = None
        for at, readings in played:
            if clock is None:
                await self._begins(at, rate)
                clock = TownClock(self._target.town_clock_file)
            while (ahead := at - clock.now()) > timedelta(0):
                await asyncio.sleep(min(ahead.total_seconds() / rate, 0.5))
                self._summary.town_now = clock.now()
                self._progress(self._summary)
            await self._post(readings)
            self._summary.steps += 1

    async def _step(
        self, rest: Rest, at: datetime, readings: Sequence[Recorded]
    ) -> tuple[datetime, list[datetime]]:
        now = at
        self._moves_clock(now)
        if readings:
            await self._post(readings)
            now = at + HAIR
            self._moves_clock(now)
        await self._tick()
        self._summary.steps += 1
        due = await rest.until_quiet(now)
        self._progress(self._summary)
        return now, due

    async def _begins(self, first: datetime, rate: float) -> datetime:
        """Set the clock to the file's first time, if the town has not yet been told of a later one."""
        said = (await self._ask_ingest()).get("detail", {})
        told = said.get("tick") if said.get("tick_is_binding") else None
        if told is not None and datetime.fromisoformat(told) > first:
            raise Refused(
                f"The town has already lived until {told}, and the file begins at {first.isoformat()}; "
                "time cannot go back: start a copy with a fresh folder (`municipio up --data DIR`)."
            )
        self._moves_clock(first, rate)
        follows = datetime.fromisoformat((await self._ask_ingest())["now"])
        if not timedelta(0) <= follows - first < timedelta(seconds=60 * max(rate, 1)):
            raise Refused(f"The services do not follow the clock in {self._target.town_clock_file}.")
        return first

    async def _ask_ingest(self) -> dict[str, Any]:
        answer = await insistently(self._http, "GET", f"{self._ingest}/admin/v1/quiescence")
        said: dict[str, Any] = answer.json()
        return said

    def _moves_clock(self, now: datetime, rate: float = 0) -> None:
        TownClock.write(self._target.town_clock_file, now, rate)
        self._summary.town_now = now

    async def _tick(self) -> None:
        await insistently(self._http, "POST", f"{self._ingest}/admin/v1/tick")

    async def _post(self, readings: Sequence[Recorded]) -> None:
        lines = "\n".join(json.dumps(reading.body) for reading in readings)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/x-ndjson"}
        url = f"{self._ingest}/v1/readings"
        answer = await insistently(self._http, "POST", url, headers=headers, content=lines)
        self._notes(readings, answer.json())

    def _notes(self, readings: Sequence[Recorded], said: Mapping[str, Any]) -> None:
        summary = self._summary
        summary.readings += len(readings)
        summary.first = summary.first or readings[0].at
        summary.last = readings[-1].at
        for name in ("accepted", "duplicates", "corrections", "quarantined", "rejected_count"):
            summary.counts[name] = summary.counts.get(name, 0) + int(said.get(name, 0))
        for each in said.get("rejected", []):
            if len(summary.rejected) < LISTED_MOST:
                row = readings[each["index"]]
                summary.rejected.append({"file": row.file, "row": row.row, "reason": each["detail"]})

    @property
    def _ingest(self) -> str:
        return self._target.urls["ingest"]


async def insistently(http: httpx.AsyncClient, method: str, url: str, **what: Any) -> httpx.Response:
    """Ask until the service answers, for a minute; a posting that was stored before is a duplicate then."""
    until_s = time.monotonic() + POST_WITHIN_S
    while True:
        try:
            answer = await http.request(method, url, **what)
        except httpx.HTTPError as err:
            why = type(err).__name__
        else:
            if answer.is_success or (answer.status_code == 422 and "rejected" in answer.json()):
                return answer
            if answer.status_code not in (429, 500, 502, 503, 504):
                raise _refusal(answer)
            why = str(answer.status_code)
        if time.monotonic() > until_s:
            raise DependencyDown(f"{url} did not answer within {POST_WITHIN_S:.0f} s ({why}).")
        await asyncio.sleep(AGAIN_S)


def _refusal(answer: httpx.Response) -> Refused | WrongUse:
    with contextlib.suppress(ValueError):
        said = answer.json()
        sentence = (
            f"{answer.request.url} answered {answer.status_code}: {said.get('detail') or said.get('title')}"
        )
        return WrongUse(sentence) if answer.status_code in (400, 401, 403) else Refused(sentence)
    return Refused(f"{answer.request.url} answered {answer.status_code}.")
