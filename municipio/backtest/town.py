"""One town in a backtest: the engine of the live service, with ticks where a silence would be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from municipio.backtest.operator import Operator
from schemas.municipality import Municipality
from services.triage.domain.calm import Calm, Calms
from services.triage.domain.changes import Change
from services.triage.domain.engine import decide_all, fold, fold_sensors, watched_sensors
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Input, Reading, Tick
from services.triage.domain.rulebook import book_of
from services.triage.domain.silence import next_deadline
from services.triage.domain.state import empty

Listener = Callable[[Change], None]
COLLECTED_MOST = 2000
"""Quiet readings that are folded together; far below what a sensor's window holds."""
REOPENS = frozenset({"silence.site_opened", "silence.site_joined"})


class SensorTick(Tick, frozen=True):
    """A tick as a record holds it: that it found this one sensor silent."""

    sensor_id: str


@dataclass(slots=True)
class Silence:
    """A site that said nothing; ``to`` is when it was heard again, None while it still is silent."""

    site: str
    rule: str
    opened_at: datetime
    since: datetime
    to: datetime | None = None


class Town:
    """State and verdicts so far.

    Attributes:
        changes: In the order of record.
        silences: Per site, in the order in which they were found.
    """

    def __init__(self, town: Municipality, operator: Operator, *, listener: Listener | None = None) -> None:
        self.book = book_of(town)
        self.state = empty(town.id)
        self.changes: list[Change] = []
        self.silences: list[Silence] = []
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self._operator = operator
        self._listener = listener or (lambda _: None)
        self._watched = watched_sensors(self.book)
        starts = {rule.valid_from for rule in self.book.silences.values()}
        self._rules_start = sorted(starts, reverse=True)
        self._calms = Calms()
        self._collected = 0
        self._due: datetime | None = None
        self._is_due_known = False

    @property
    def watched(self) -> Sequence[str]:
        """The sensors whose silence ticks look for."""
        return self._watched

    @property
    def rules_start(self) -> Sequence[datetime]:
        """When silence rules come into force from now on: a tick looks then."""
        return self._rules_start

    def calm_of(self, sensor_id: str) -> Calm | None:
        """Return what must hold of a sensor's next readings for them to change nothing; settle its state."""
        out = Outcome()
        calm = self._calms.of(self.book, sensor_id, out)
        if out.changes:
            self._keep(self._decided(out))
        return calm

    def arrived(self, at: datetime) -> None:
        """Take note that readings which changed nothing arrived up to ``at``."""
        self.last_at = at if self.last_at is None else max(at, self.last_at)
        self._is_due_known = False

    def receive(self, at: datetime, readings: Sequence[Reading]) -> None:
        """Let what falls due before ``at`` happen, then fold what arrived then."""
        self.pass_time(at)
        for reading in readings:
            state = self.state.sensors.get(reading.sensor_id)
            if state is None or state.silent or state.newest is None:
                self._is_due_known = False  # It will have a deadline that it had not.
        self.put(at, readings)

    def pass_time(self, until: datetime, *, is_watched: bool = True) -> None:
        """Let ticks and the operator act, each at its own moment, in order, up to but without ``until``.

        ``is_watched`` is False where it is known that no tick would find anything.
        """
        if self.last_at is None:
            self.put(until, [Tick(until)])  # From here on the town is watched.
        while (moment := self._next(until, is_watched)) is not None:
            at, inputs = moment
            self.put(at, inputs)

    def settle(self) -> None:
        """Bring every state to where its readings lead."""
        self._keep(self._settled())

    def put(self, at: datetime, inputs: Sequence[Input]) -> None:
        """Fold inputs and take note of what they brought."""
        self.first_at = self.first_at or at
        self.last_at = at if self.last_at is None else max(at, self.last_at)
        silent = self._silent(inputs)
        changes = [change for each in inputs for change in self._fold(each)]
        for sensor_id in silent - self._silent(inputs) if silent else ():
            self._heard(self.book.site_of(sensor_id), at)
        self._keep(changes)
        if changes:
            self._operator.look(self.state.town, at)

    def _keep(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._note(change)
            self._listener(change)
        self.changes += changes

    def _fold(self, each: Input) -> list[Change]:
        if isinstance(each, Reading):
            return self._fold_reading(each)
        if not isinstance(each, Tick):
            return fold(self.book, self.state, [each])[1]
        before = self._settled()
        self._calms = Calms()
        watched: Sequence[str] = self._watched
        if isinstance(each, SensorTick):
            watched = [each.sensor_id] if each.sensor_id in self.book.sensors else []
        out = fold_sensors(self.book, self.state.sensors, [each], watched)
        return [*before, *self._decided(out)]

    def _fold_reading(self, reading: Reading) -> list[Change]:
        out = Outcome()
        self._calms.fold(self.book, self.state.sensors, [reading], out)
        self._collected += 1
        settled = self._settled() if self._collected >= COLLECTED_MOST else []
        return [*self._decided(out), *settled]

    def _settled(self) -> list[Change]:
        """Bring every sensor's state to where its readings lead; before anybody looks at one."""
        self._collected, out = 0, Outcome()
        self._calms.settle(self.book, out)
        return self._decided(out)

    def _decided(self, out: Outcome) -> list[Change]:
        return [*out.changes, *decide_all(self.book, self.state.town, out.signals)]

    def _next(self, until: datetime, is_watched: bool) -> tuple[datetime, list[Input]] | None:
        tick, decision = self._next_tick(until) if is_watched else None, self._operator.next_at()
        if decision is not None and decision < until and (tick is None or decision <= tick):
            return decision, [*self._operator.decide()]
        if tick is not None and tick < until:
            self._is_due_known = False
            return tick, [Tick(tick)]
        return None

    def _next_tick(self, until: datetime) -> datetime | None:
        """Return the first tick that can find something: silence falls due, or a rule comes into force."""
        if not self._watched or self.last_at is None:
            return None
        if not self._is_due_known or (self._due is not None and self._due < until):
            while self._rules_start and self._rules_start[-1] <= self.last_at:
                self._rules_start.pop()
            self.settle()
            states = [self.state.sensors[each] for each in self._watched if each in self.state.sensors]
            due = next_deadline(self.book, states, self.last_at)
            moments = [*([due] if due is not None else []), *self._rules_start[-1:]]
            self._due = max(min(moments), self.last_at) if moments else None
            self._is_due_known = True
        return self._due

    def _note(self, change: Change) -> None:
        snapshot = change.snapshot
        if snapshot is None or snapshot.kind != "no_data" or snapshot.site is None:
            return
        codes = {reason.code for reason in change.reasons}
        open_ones = [one for one in self.silences if one.site == snapshot.site and one.to is None]
        if codes & REOPENS and not open_ones:
            since = self._since(snapshot.site)
            self.silences.append(Silence(snapshot.site, change.rule or "", change.at, since or change.at))

    def _silent(self, inputs: Sequence[Input]) -> set[str]:
        """Return which of the sensors that speak now are held for silent."""
        spoke = {each.sensor_id for each in inputs if isinstance(each, Reading)}
        known = (self.state.sensors.get(sensor_id) for sensor_id in spoke)
        return {state.sensor_id for state in known if state is not None and state.silent}

    def _heard(self, site: str, at: datetime) -> None:
        for one in self.silences:
            if one.site == site and one.to is None:
                one.to = at

    def _since(self, site: str) -> datetime | None:
        """Return since when a site says nothing: since the last word of any of its sensors."""
        return max(
            (
                since
                for sensors in self.state.town.silent.values()
                for sensor_id, since in sensors.items()
                if self.book.site_of(sensor_id) == site
            ),
            default=None,
        )
