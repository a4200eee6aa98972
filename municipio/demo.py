"""The example town's night, played without waiting for anyone, and counted by the loss oracle.

``python -m municipio.demo`` prints what happened on stderr and one JSON object (DOORS §4) as its last line
on stdout; it ends with 0 only when its own checks hold.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx

from municipio.errors import MunicipioError
from municipio.narration import Narrator
from municipio.pace import OPENING_RATE, Pace
from municipio.paths import KAFKA, MUNICIPALITIES, VAR
from municipio.player import Target
from municipio.ports import Ports
from municipio.read_model import is_same_after_rebuild
from municipio.replay import run, terminal_progress
from municipio.stack import Stack
from schemas.events.warnings import Ledger
from services.runtime.clock import TownClock

SCHEMA: Final = "municipio/demo/1"
TOWN: Final = "ejemplo"
DATA: Final = VAR / "demo"
P99_FROM: Final = 100
RUN_SPEED: Final = 240.0
DRIVEN_SINCE: Final = datetime.fromisoformat("2026-05-05T02:45:00-06:00")
"""Where a person takes the phones over: the first of the two readings that make level 3."""
SLOW_SINCE: Final = datetime.fromisoformat("2026-05-05T03:00:00-06:00")
"""The second one."""
# No text wakes Ana, a call does: she presses 1. Beto authorises after twenty seconds of town time.
PHONES: Final[Sequence[Mapping[str, Any]]] = (
    {"pattern": r"\+50370000001", "call": {"answered_by": "human", "press": ["1"]}},
    {
        "pattern": r"\+50370000002",
        "sms": [
            {"match": r"[Rr]esponda SI (\d{4})", "answer": r"SI \1", "after_ms": 20_000},
        ],
    },
    # Both brigades go with six people, arrive after five minutes and are done after twenty.
    {
        "pattern": r"\+5037000001[12]",
        "sms": [
            {"match": r"VOY (\d{4})", "answer": r"VOY \1 6", "after_ms": 30_000},
            {"match": r"LLEGUE (\d{4})", "answer": r"LLEGUE \1", "after_ms": 300_000},
            {"match": r"LISTO (\d{4})", "answer": r"LISTO \1", "after_ms": 1_200_000},
        ],
    },
)
LINK: Final = re.compile(r"https?://\S+/a/[A-Za-z0-9_-]+")
LINKED_WITHIN_S: Final = 2.0

Json = dict[str, Any]


def main() -> int:
    """Play the night on a copy of its own; return the exit code."""
    began_s = time.monotonic()
    shutil.rmtree(DATA, ignore_errors=True)
    database_url = os.environ.get("MUNICIPIO_DATABASE_URL") or None
    stack = Stack(
        DATA,
        ports=Ports.free(),
        municipalities_dir=MUNICIPALITIES,
        database_url=database_url,
        kafka_bootstrap=os.environ.get("MUNICIPIO_KAFKA_BOOTSTRAP") or None,
    )
    try:
        with stack:
            stack.ready()
            _say(f"ready after {time.monotonic() - began_s:.1f} s")
            document, failures = _night(stack, began_s)
    except MunicipioError as err:
        _say(f"the demo could not be played: {err}")
        return err.exit_code
    for failure in failures:
        _say(f"FAILED: {failure}")
    print(json.dumps(document), flush=True)
    return 1 if failures else 0


def play(stack: Stack, *, scripted: bool = False) -> None:
    """Play the night once on a running copy, for somebody who watches; the town's clock goes on after it.

    A person drives the phones of the carrier's page: the river begins just before it crosses, and the clock
    slows down while a phone asks something. ``scripted``: the whole night, and the phones answer themselves.
    """
    flood = stack.copy.municipalities / TOWN / "flood.csv"
    if scripted:
        _teach_phones(stack)
        print(f"The river rises: {flood.name} at {RUN_SPEED:.0f} town seconds a second.", flush=True)
        with Narrator(stack, TOWN):
            run([flood], _target(stack), speed=RUN_SPEED)
    else:
        print(f"The river rises. Answer the phones at {stack.urls['carrier']}/phones", flush=True)
        with Narrator(stack, TOWN), Pace(stack, SLOW_SINCE):
            run([flood], _target(stack), speed=OPENING_RATE, since=DRIVEN_SINCE)
    print("The recording is over. Everything keeps running; Ctrl-C stops it.", flush=True)


class Posts(httpx.AsyncHTTPTransport):
    """The client's own log: what was posted when, and accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Json] = []
        self.sent_at: list[tuple[float, list[Json]]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent_at = time.time()
        response = await super().handle_async_request(request)
        if request.url.path == "/v1/readings" and response.status_code == 202:
            rows = [json.loads(line) for line in request.content.decode().splitlines()]
            said = json.loads(await response.aread())
            if said["accepted"] + said["duplicates"] + said["corrections"] == len(rows):
                self.accepted += rows
            self.sent_at.append((sent_at, rows))
        return response


def _night(stack: Stack, began_s: float) -> tuple[Json, list[str]]:
    from tests.support.gather import evidence_of
    from tests.support.oracle import Evidence, compare, plant_a_loss, read_town

    _teach_phones(stack)
    folder = stack.copy.municipalities / TOWN
    posts = Posts()
    with terminal_progress() as progress:
        summary = run(
            [folder / "flood.csv"],
            _target(stack),
            speed="max",
            rate_after=0,
            progress=progress,
            transport=posts,
        )
    _say(f"{summary.readings} readings in {summary.steps} steps, {summary.duration_s:.1f} s")
    client = stack.client()
    _open_newest_link(stack)
    until = TownClock(stack.copy.clock_file).now()
    told = evidence_of(
        client, stack.urls["carrier"], TOWN, posts.accepted, started_at=summary.first, until=until
    )
    evidence, town = Evidence.read(told), read_town(folder)
    report = compare(evidence, town)
    is_seen = plant_a_loss(evidence, town, seed=1).is_found(report, town)
    document = _document(stack, told, posts, report.json(), began_s)
    failures = [sentence for sentences in report.said.values() for sentence in sentences]
    failures += [name for name, check in _CHECKS.items() if not check(document)]
    if summary.counts.get("rejected_count") or summary.findings.broken_count:
        failures.append("some rows of the recording were refused")
    if not is_seen:
        failures.append("the oracle did not find the loss that was planted")
    return document, failures


def _document(stack: Stack, told: Json, posts: Posts, report: Json, began_s: float) -> Json:
    client = stack.client()
    entries = told["ledger"]
    delivered = {row["sid"] for row in entries if row["kind"] == "status" and row["status"] == "delivered"}
    texts = [row for row in entries if row["kind"] == "message"]
    acks = client.items("notify", "/admin/v1/acks", municipality=TOWN)
    alerts = client.items("notify", "/admin/v1/alerts", municipality=TOWN)
    tasks = client.items("notify", "/admin/v1/tasks", municipality=TOWN)
    heads = client.items("notify", "/admin/v1/warnings", municipality=TOWN)
    whole = [
        client.get("notify", f"/admin/v1/warnings/{row['warning_id']}", municipality=TOWN) for row in heads
    ]
    messages = told["notify"]["messages"]
    waits_ms = _first_sms_ms(posts, told)
    first_s = _wall_s(texts[0]) - (time.time() - (time.monotonic() - began_s)) if texts else None
    by_door = {"sms": "sms", "voice": "keypress", "link": "link"}
    return {
        "schema": SCHEMA,
        "readings": len(posts.accepted),
        "incidents": len(told["triage"]["incidents"]),
        "warnings": sum(1 for row in whole if row.get("authority")),
        "alerts": len(alerts),
        "sms_accepted": len(texts),
        "sms_delivered": sum(1 for row in texts if row["sid"] in delivered),
        "calls": sum(1 for row in entries if row["kind"] == "call"),
        "acknowledged": {
            door: sum(1 for row in acks if by_door.get(row["channel"]) == door) for door in by_door.values()
        },
        "escalated": sum(
            1 for row in messages if row["purpose"] in {"page", "authority"} and row["round"] > 0
        ),
        "tasks_done": sum(1 for row in tasks if row["state"] == "done"),
        **{name: report[name] for name in ("lost", *_COUNTS)},
        "first_sms_ms": _percentiles(waits_ms),
        "first_sms_after_start_s": round(first_s, 2) if first_s is not None else None,
        "residents_reached": len(
            {row["recipient_id"] for row in messages if row["purpose"] == "warning" and row["delivered_at"]}
        ),
        "ledger": ledgers(whole),
        "console_rebuilt": is_same_after_rebuild(client, TOWN),
        "broker": broker_name(),
        "database": "postgresql" if stack.copy.database_url else "sqlite",
    }


_COUNTS: Final = (
    "lost_readings",
    "lost_verdicts",
    "lost_messages",
    "lost_replies",
    "duplicates",
    "unexpected",
)
_CHECKS: Final[Mapping[str, Callable[[Json], bool]]] = {
    "something was lost": lambda said: said["lost"] == 0,
    "something came twice": lambda said: said["duplicates"] == 0,
    "something came that nobody can explain": lambda said: said["unexpected"] == 0,
    "nobody was paged": lambda said: said["alerts"] > 0,
    "silence was not followed by a call": lambda said: said["calls"] > 0,
    "no warning was authorised": lambda said: said["warnings"] > 0,
    "no resident was reached": lambda said: said["residents_reached"] > 0,
    "nobody acknowledged": lambda said: sum(said["acknowledged"].values()) > 0,
    "a ledger's steps are out of order": lambda said: all(map(_is_in_order, said["ledger"])),
    "the console is not the same when it is made again": lambda said: said["console_rebuilt"],
    "the broker is not Apache Kafka 4": lambda said: said["broker"].startswith("apache-kafka 4."),
}


def ledgers(warnings: Sequence[Json]) -> list[Json]:
    """Return one row for each version that was in force: when each step of the lost time was reached."""
    names = ("warning_id", "version", "type", "level")
    return [
        {**{name: version[name] for name in names}, **version["ledger"]}
        for warning in warnings
        for version in warning["versions"]
        if version["authority"]
    ]


def _is_in_order(ledger: Json) -> bool:
    reached = [datetime.fromisoformat(ledger[step]) for step in Ledger.model_fields if ledger[step]]
    return reached == sorted(reached)


def _first_sms_ms(posts: Posts, told: Json) -> list[float]:
    """Return, per posting that made somebody's phone ring at once, the wait from its sending to the 201."""
    from tests.support.oracle import Evidence
    from tests.support.oracle.evidence import deliveries

    accepted_s = {row["sid"]: _wall_s(row) for row in told["ledger"] if row["kind"] == "message"}
    first_s: dict[int, float] = {}
    for one in deliveries(Evidence.read(told), TOWN):
        if one.sid in accepted_s and one.purpose in {"page", "authority"} and one.row["round"] == 0:
            planned_s = round(datetime.fromisoformat(one.row["planned_at"]).timestamp())
            first_s[planned_s] = min(first_s.get(planned_s, float("inf")), accepted_s[one.sid])
    posted_s = {
        round(max(datetime.fromisoformat(row["observed_at"]).timestamp() for row in rows)): sent_s
        for sent_s, rows in posts.sent_at
    }
    return [(at_s - posted_s[town_s]) * 1000 for town_s, at_s in first_s.items() if town_s in posted_s]


def _wall_s(row: Json) -> float:
    return datetime.fromisoformat(row["at"]).timestamp()


def _percentiles(waits_ms: Sequence[float]) -> Json:
    ordered = sorted(waits_ms)
    count = len(ordered)
    return {
        "n": count,
        "p50": round(ordered[count // 2], 1) if count else None,
        "p99": round(ordered[int(count * 0.99)], 1) if count >= P99_FROM else None,
    }


def broker_name() -> str:
    """Return the broker that our own copies start, by the library that it runs from."""
    found = sorted((KAFKA / "lib").glob("kafka_2.13-*.jar"))
    return f"apache-kafka {found[0].stem.partition('-')[2]}" if found else "unknown"


def _open_newest_link(stack: Stack) -> None:
    """Answer by its link the newest page that its reader has not answered, and wait until notify knows."""
    from tests.support.gather import carrier_ledger

    entries = carrier_ledger(stack.urls["carrier"])
    texts = [row["text"] for row in entries if row["kind"] == "message"]
    links = [found.group() for text in texts if (found := LINK.search(text))]
    for link in reversed(links):
        answer = httpx.post(link, data={"act": "ok"}, timeout=10, trust_env=False)
        if answer.is_success and _is_acknowledged_by_link(stack):
            _say("a page was answered by its link")
            return


def _is_acknowledged_by_link(stack: Stack) -> bool:
    until_s = time.monotonic() + LINKED_WITHIN_S
    while time.monotonic() < until_s:
        acks = stack.client().items("notify", "/admin/v1/acks", municipality=TOWN)
        if any(row["channel"] == "link" for row in acks):
            return True
        time.sleep(0.1)
    return False


def _teach_phones(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.urls['carrier']}/_control/phones", json={"rules": list(PHONES)}, timeout=10, trust_env=False
    )
    answer.raise_for_status()


def _target(stack: Stack) -> Target:
    return Target(
        TOWN,
        stack.urls,
        stack.admin_token,
        stack.copy.clock_file,
        key=stack.source_key(TOWN),
        kafka_bootstrap=stack.bootstrap,
    )


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
