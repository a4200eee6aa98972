"""A replay steps from reading to reading, stops at what falls due between, and never outruns the town."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from municipio import player, quiet
from municipio.errors import DependencyDown, Refused, WrongUse
from municipio.player import Target, moments, next_stop
from municipio.profiles import profile_named
from municipio.quiet import Rest, dues, followed, unrest
from municipio.replay import run
from municipio.rows import Recorded
from services.runtime.clock import TownClock

START = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
URLS = {name: f"http://{name}" for name in ("ingest", "triage", "notify")}


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.mark.parametrize(
    ("reading", "due", "now", "stop"),
    [
        pytest.param(15, [], 0, 15, id="nothing due"),
        pytest.param(15, [10, 12], 0, 10, id="due before the reading"),
        pytest.param(15, [15], 0, 15, id="due with the reading"),
        pytest.param(15, [20], 0, 15, id="due after the reading"),
        pytest.param(15, [0, -5], 0, 15, id="due already"),
        pytest.param(0, [], 0.5, 0.5, id="the clock is a hair further"),
        pytest.param(None, [20], 15, None, id="no reading left"),
    ],
)
def test_next_stop(reading: float | None, due: list[float], now: float, stop: float | None) -> None:
    """The earlier of the next reading and the next due time; never backwards."""
    found = next_stop(None if reading is None else at(reading), [at(each) for each in due], at(now))

    assert (None if stop is None else at(stop)) == found


@given(reading=st.integers(0, 100), due=st.lists(st.integers(-20, 120), max_size=5), now=st.integers(0, 100))
def test_stop_never_goes_back_and_never_passes_a_due_time(reading: int, due: list[int], now: int) -> None:
    """Whatever is due strictly between is stopped at, soonest first."""
    stop = next_stop(at(reading), [at(each) for each in due], at(now))

    assert stop is not None
    assert stop >= at(now)
    assert not [each for each in due if at(now) < at(each) < stop]


def test_readings_of_one_moment_are_posted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as one posting takes."""
    monkeypatch.setattr(player, "ROWS_A_POST", 2)
    rows = [Recorded(at(minute), "f", row, {}) for row, minute in enumerate([0, 0, 0, 15])]

    assert [(at(0), 2), (at(0), 1), (at(15), 1)] == [(when, len(batch)) for when, batch in moments(rows)]


def quiescence(**changes: object) -> dict[str, object]:
    return {"now": at(0).isoformat(), "busy": 0, "next_due": None, "detail": {}, **changes}


@pytest.mark.parametrize(
    ("service", "said", "why"),
    [
        ("notify", quiescence(), None),
        ("notify", quiescence(busy=2), "busy"),
        ("notify", quiescence(next_due=at(0).isoformat()), "has not fired"),
        ("notify", quiescence(next_due=at(1).isoformat()), None),
        ("triage", quiescence(detail={"ticks": {"0": at(0).isoformat()}}), None),
        ("triage", quiescence(detail={"ticks": {"0": at(0).isoformat(), "1": at(-1).isoformat()}}), "tick"),
    ],
)
def test_unrest_says_what_is_under_way(service: str, said: dict[str, object], why: str | None) -> None:
    """Busy, overdue, or behind the tick."""
    found = unrest(service, said, at(0))

    assert (found is None) if why is None else (why in (found or ""))


def test_due_times_are_sorted() -> None:
    """Soonest first, those without one left out."""
    said = [quiescence(), quiescence(next_due=at(9).isoformat()), quiescence(next_due=at(3).isoformat())]

    assert [at(3), at(9)] == dues(said)


def test_every_topic_between_services_is_followed() -> None:
    """A new consumer is waited for without anybody thinking of it."""
    assert {"notify.incidents"} <= set(followed()["incidents"])
    assert {"console.decisions", "notify.decisions", "triage.decisions"} == set(followed()["decisions"])
    assert "readings" not in followed()


class FakeTown:
    """The three services as a replay sees them.

    A timer is set ``sets`` minutes after each reading and fires when the clock reaches it.
    """

    def __init__(self, clock_file: Path, sets: Iterable[float] = ()) -> None:
        self.clock = TownClock(clock_file)
        self.sets = tuple(sets)
        self.log: list[tuple[str, datetime]] = []
        self.timers: list[datetime] = []
        self.told: datetime | None = None
        self.busy_looks = 0
        self.stuck = False
        self.down_posts = 0
        self.keys: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        now = self.clock.now()
        route = (request.method, request.url.path)
        if route == ("POST", "/admin/v1/keys"):
            return httpx.Response(201, json={"key": "secret", "key_id": "1"})
        if route == ("DELETE", "/admin/v1/keys/1"):
            self.keys.append("revoked")
            return httpx.Response(200, json={})
        if route == ("POST", "/v1/readings"):
            return self._posted(request, now)
        if route == ("POST", "/admin/v1/tick"):
            self._ticked(now)
            return httpx.Response(200, json={"now": now.isoformat()})
        return httpx.Response(200, json=self._said(request.url.host, now))

    def _posted(self, request: httpx.Request, now: datetime) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        if self.down_posts:
            self.down_posts -= 1
            return httpx.Response(503, json={})
        rows = [json.loads(line) for line in request.content.splitlines()]
        for row in rows:
            assert datetime.fromisoformat(row["observed_at"]) <= now
            self.log.append(("reading", now))
        self.timers += [now + timedelta(minutes=each) for each in self.sets]
        self.busy_looks = 2
        bad = [{"index": 0, "pointer": "#/0/value", "detail": "is odd"}] if rows[0]["value"] == 13 else []
        counts = {"accepted": len(rows) - len(bad), "rejected_count": len(bad), "rejected": bad}
        return httpx.Response(422 if len(bad) == len(rows) else 202, json=counts)

    def _ticked(self, now: datetime) -> None:
        self.told = now
        for due in sorted(each for each in self.timers if each <= now):
            self.log.append(("timer", due))
            assert due == now, "the clock jumped over a due time"
        self.timers = [each for each in self.timers if each > now]

    def _said(self, host: str, now: datetime) -> dict[str, object]:
        self.busy_looks = max(0, self.busy_looks - 1)
        busy = self.busy_looks if host == "triage" else 0
        due = min(self.timers, default=None) if host == "notify" else None
        detail = {"tick": self.told.isoformat() if self.told else None, "tick_is_binding": True}
        return quiescence(
            now=now.isoformat(),
            busy=1 if self.stuck else busy,
            next_due=due.isoformat() if due else None,
            detail=detail,
        )


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


def recording(folder: Path, *minutes: int, value: float = 1.0) -> Path:
    path = folder / "recording.csv"
    rows = [f"{at(minute).isoformat()},rio-1,river_level,{value},m\n" for minute in minutes]
    path.write_text("observed_at,sensor_id,property,value,unit\n" + "".join(rows))
    return path


def play(town: FakeTown, path: Path, clock_file: Path, **how: object) -> player.Summary:
    target = Target("alta", URLS, "administrator", clock_file)
    return run([path], target, transport=httpx.MockTransport(town), **how)  # type: ignore[arg-type] # words of a test


def test_max_stops_at_each_reading_and_each_due_time(tmp_path: Path, clock_file: Path) -> None:
    """The clock is set to the file's own times and jumps over nothing."""
    town = FakeTown(clock_file, sets=[7])
    summary = play(town, recording(tmp_path, 0, 15, 30), clock_file)

    stops = [(what, round((when - START) / timedelta(minutes=1))) for what, when in town.log]
    assert [("reading", 0), ("timer", 7), ("reading", 15), ("timer", 22), ("reading", 30)] == stops
    assert (3, 5) == (summary.readings, summary.steps)
    assert summary.as_json()["accepted"] == 3
    assert town.keys == ["revoked"]


def test_clock_runs_on_from_the_last_reading(tmp_path: Path, clock_file: Path) -> None:
    """After a replay the town's time goes on as real time does."""
    play(FakeTown(clock_file), recording(tmp_path, 0), clock_file)

    clock = TownClock(clock_file)
    assert clock.rate == 1.0
    assert at(0) <= clock.now() < at(1)


def test_town_that_lived_longer_is_not_sent_back(tmp_path: Path, clock_file: Path) -> None:
    """The rules cannot unlearn the time; the message says what to do."""
    town = FakeTown(clock_file)
    town.told = at(1)

    with pytest.raises(Refused, match="fresh folder"):
        play(town, recording(tmp_path, 0), clock_file)


def test_services_on_another_clock_are_refused(tmp_path: Path, clock_file: Path) -> None:
    """Readings of years ago would look like a long silence."""
    town = FakeTown(tmp_path / "another.json")

    with pytest.raises(Refused, match="do not follow the clock"):
        play(town, recording(tmp_path, 0), clock_file)


def test_busy_door_is_asked_again(tmp_path: Path, clock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed ingest comes back; nothing is skipped."""
    monkeypatch.setattr(player, "AGAIN_S", 0)
    town = FakeTown(clock_file)
    town.down_posts = 2

    assert play(town, recording(tmp_path, 0, 15), clock_file).as_json()["accepted"] == 2


def test_refused_and_broken_rows_are_listed_and_the_rest_plays(tmp_path: Path, clock_file: Path) -> None:
    """Each with file, row and reason."""
    path = recording(tmp_path, 0, 15, value=13)
    path.write_text(path.read_text() + "ayer,rio-1,river_level,1,m\n")
    said = play(FakeTown(clock_file), path, clock_file).as_json()

    assert (2, 1) == (said["rejected_count"], said["broken_count"])
    assert {"file": "recording.csv", "row": 2, "reason": "is odd"} == said["rejected"][0]
    assert said["broken"][0]["row"] == 4


def test_part_of_a_file_can_be_played(tmp_path: Path, clock_file: Path) -> None:
    """From a moment on and before another."""
    summary = play(
        FakeTown(clock_file), recording(tmp_path, 0, 15, 30, 45), clock_file, since=at(15), until=at(45)
    )

    assert (at(15), at(30)) == (summary.first, summary.last)


def test_speed_lets_the_clock_run(tmp_path: Path, clock_file: Path) -> None:
    """Readings are posted when their time has come, never before."""
    town = FakeTown(clock_file)
    summary = play(town, recording(tmp_path, 0, 15, 30), clock_file, speed=90_000.0)

    assert [what for what, _ in town.log] == ["reading"] * 3
    assert summary.duration_s < 5


@pytest.mark.parametrize("speed", [0, -1, 1e9])
def test_impossible_speed_is_wrong_use(tmp_path: Path, clock_file: Path, speed: float) -> None:
    """The message names the option."""
    with pytest.raises(WrongUse, match="--speed"):
        play(FakeTown(clock_file), recording(tmp_path, 0), clock_file, speed=speed)


def test_unreadable_file_is_wrong_use(tmp_path: Path, clock_file: Path) -> None:
    """Nothing was played and the clock was not touched."""
    with pytest.raises(WrongUse, match="cannot be opened"):
        play(FakeTown(clock_file), tmp_path / "nada.csv", clock_file)
    assert not clock_file.exists()


def test_profile_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    """An unknown one is named together with those that exist."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "mio.yaml").write_text(
        "id: mio\nobserved_at: {column: t, time_zone: '-03:00', format: '%H'}\nvalue: {column: v}\n"
        "sensor: a\nproperty: rain\nunit: mm\n"
    )

    assert "mio" == profile_named("mio", tmp_path).id == profile_named(str(folder / "mio.yaml"), tmp_path).id
    with pytest.raises(WrongUse, match="it has: mio"):
        profile_named("otro", tmp_path)


class FakeTraffic:
    """A record appears between two services at the first look and is read at the third."""

    def __init__(self) -> None:
        self.looks = 0

    async def ends(self) -> dict[TopicPartition, int]:
        return {TopicPartition("incidents", 0): 1}

    async def is_read(self, ends: object) -> bool:
        self.looks += 1
        return self.looks > 2


async def test_record_between_services_is_waited_for_and_then_all_are_asked_again() -> None:
    """Notify cannot know of a record that it was not yet given."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(200, json=quiescence())

    traffic = FakeTraffic()
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        assert await Rest(http, URLS, traffic).until_quiet(at(0)) == []

    assert traffic.looks == 3
    assert asked.count("triage") == 4


async def test_town_that_does_not_come_to_rest_is_given_up_with_the_reason() -> None:
    """A clear failure instead of a replay that hangs."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=quiescence(busy=3))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(DependencyDown, match="triage is busy"):
            await Rest(http, URLS, quiet.NoTraffic(), within_s=0.05).until_quiet(at(0))


async def test_what_the_carrier_did_before_notify_spoke_is_looked_at_again() -> None:
    """A text may leave between two questions; its delivery, due at the carrier, is not missed."""
    ledger_ends = iter([3, 4, 4, 4])
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == "carrier":
            said = {"busy": 0, "ledger_end": next(ledger_ends), "next_due_s": 7.0, "now_s": 5.0}
            return httpx.Response(200, json=said)
        return httpx.Response(200, json=quiescence() | {"items": []})

    urls = URLS | {"carrier": "http://carrier", "door": "http://door"}
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        rest = Rest(http, urls, quiet.NoTraffic())
        assert await rest.until_quiet(at(0)) == [at(0) + timedelta(seconds=2)]
        assert (4, 2, 2) == tuple(asked.count(host) for host in ("carrier", "door", "notify"))
