"""What a rulebook can say that makes no sense, alone or against the town's sensors and zones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from schemas.municipality.document import Placed
from schemas.municipality.draft import Draft
from schemas.municipality.errors import FolderError
from schemas.municipality.places import Sensor
from schemas.municipality.rulebook import LevelRow, LevelRule, SilenceRule

AnyRule = Placed[LevelRule] | Placed[SilenceRule]


def check_rules(draft: Draft) -> Iterator[FolderError]:
    sensors = {placed.value.sensor_id: placed.value for placed in draft.sensors}
    zones = {placed.value.properties.id for placed in draft.zones}
    signers = {placed.value.id for placed in draft.operators}
    signers |= {placed.value.person_id for placed in draft.directory}
    for rule in draft.level_rules:
        yield from _levels(rule)
        yield from _source(rule, sensors)
        yield from _named(rule, "zones", rule.value.zones, zones, "zone of zones.geojson")
        if rule.value.confirm < 1:
            yield rule.fault(("confirm",), f"must be at least 1 reading (found {rule.value.confirm})")
    for silence in draft.silence_rules:
        yield from _silence(silence, sensors)
    everyone: list[AnyRule] = [*draft.level_rules, *draft.silence_rules]
    for row in everyone:
        yield from _dates_and_signatures(row, signers)
    yield from _overlaps(everyone)
    yield from _without_protocol(draft, everyone)


def _levels(rule: Placed[LevelRule]) -> Iterator[FolderError]:
    before: LevelRow | None = None
    for index, row in enumerate(rule.value.levels):
        here = ("levels", index)
        if row.clear_below >= row.raise_at:
            reason = f"{row.clear_below} must be lower than raise_at {row.raise_at}, or the river rings twice"
            yield rule.fault((*here, "clear_below"), reason)
        if before is not None:
            yield from _ascending(rule, index, before, row)
        before = row


def _ascending(rule: Placed[LevelRule], index: int, before: LevelRow, row: LevelRow) -> Iterator[FolderError]:
    here = ("levels", index)
    if row.level <= before.level:
        reason = f"levels overlap: {row.level} follows {before.level}; expected each once, ascending"
        yield rule.fault((*here, "level"), reason)
    if row.raise_at <= before.raise_at:
        reason = f"{row.raise_at} must be above {before.raise_at}, the limit of level {before.level}"
        yield rule.fault((*here, "raise_at"), reason)
    if row.clear_below <= before.clear_below:
        reason = f"{row.clear_below} must be above {before.clear_below}, where level {before.level} is left"
        yield rule.fault((*here, "clear_below"), reason)


def _source(rule: Placed[LevelRule], sensors: dict[str, Sensor]) -> Iterator[FolderError]:
    row = rule.value
    sensor = sensors.get(row.sensor)
    if sensor is None:
        yield rule.fault(("sensor",), f"{row.sensor} is not a sensor of sensors.csv")
        return
    for name in ("property", "unit", "datum"):
        ours, theirs = getattr(row, name), getattr(sensor, name)
        if ours != theirs:
            reason = f"{str(ours)!r} is not the {name} of sensor {row.sensor}: expected {str(theirs)!r}"
            yield rule.fault((name,), reason)
    for index, level in enumerate(row.levels):
        if not sensor.min_plausible <= level.raise_at <= sensor.max_plausible:
            reason = (
                f"{level.raise_at} is never reached: sensor {row.sensor} counts as plausible only"
                f" {sensor.min_plausible} to {sensor.max_plausible}"
            )
            yield rule.fault(("levels", index, "raise_at"), reason)


def _silence(rule: Placed[SilenceRule], sensors: dict[str, Sensor]) -> Iterator[FolderError]:
    row = rule.value
    yield from _named(rule, "sensors", row.sensors, set(sensors), "sensor of sensors.csv")
    if row.after <= timedelta(0):
        yield rule.fault(("after",), "must be longer than nothing; expected a duration such as PT90M")
        return
    for sensor_id in row.sensors or tuple(sensors):
        every_s = sensors[sensor_id].expected_every_s if sensor_id in sensors else 0
        if row.after <= timedelta(seconds=every_s):
            reason = f"is not longer than the {every_s} s between two readings of sensor {sensor_id}"
            yield rule.fault(("after",), reason)


def _named(
    rule: AnyRule, name: str, given: Sequence[str], known: set[str], what: str
) -> Iterator[FolderError]:
    for index, item in enumerate(given):
        if item not in known:
            yield rule.fault((name, index), f"{item} is not a {what}")
        elif item in given[:index]:
            yield rule.fault((name, index), f"{item} stands twice")


def _dates_and_signatures(rule: AnyRule, signers: set[str]) -> Iterator[FolderError]:
    row = rule.value
    if row.valid_to is not None and row.valid_to <= row.valid_from:
        yield rule.fault(("valid_to",), "must be after valid_from")
    yield from _named(rule, "signed_by", row.signed_by, signers, "person of operators.yaml or directory.csv")


def _overlaps(rules: Sequence[AnyRule]) -> Iterator[FolderError]:
    by_id: defaultdict[str, list[AnyRule]] = defaultdict(list)
    for rule in rules:
        by_id[rule.value.id].append(rule)
    for same in by_id.values():
        same.sort(key=lambda rule: rule.value.valid_from)
        for earlier, later in pairwise(same):
            until = earlier.value.valid_to
            if until is None or until > later.value.valid_from:
                first = earlier.document.line(earlier.loc)
                reason = f"rule {later.value.id} is in force twice: the row of line {first} still holds then"
                yield later.fault(("valid_from",), reason)


def _without_protocol(draft: Draft, rules: Sequence[AnyRule]) -> Iterator[FolderError]:
    covered = {(placed.value.hazard.value, placed.value.kind.value) for placed in draft.protocols}
    for rule in rules:
        hazard = rule.value.hazard.value
        kind = "no_data" if isinstance(rule.value, SilenceRule) else "hazard"
        if draft.protocols and (hazard, kind) not in covered:
            reason = f"{hazard} has no protocol of kind {kind} in protocols.yaml: nobody would be told"
            yield rule.fault(("hazard",), reason)
