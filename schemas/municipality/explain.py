"""A rule in plain words: what it looks at, since when and by whom, and what is done at each level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from schemas.municipality.duty import LevelPlan, PlannedTask, Step, WarningPlan, Who
from schemas.municipality.folder import Municipality
from schemas.municipality.rulebook import Rule
from schemas.municipality.telling import Telling, in_a_row, span, text
from schemas.municipality.town import SafeRelease
from schemas.vocabulary import Channel, Hazard, IncidentKind, Level


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Short sentences under a heading."""

    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """One row of a rule as a person would tell it."""

    title: str
    paragraphs: tuple[Paragraph, ...]


def explain(town: Municipality, rule: Rule, now: datetime) -> Explained:
    """Return the words for one row of the town's rulebook; ``now`` tells what holds from what is past."""
    telling = _telling_of(town)
    hazard = text(f"hazard.{rule.hazard.value}")
    zones = rule.places()
    code = "title.zones" if zones else "title.town"
    looks = [*rule.tell(telling)]
    if rule.incident_kind is IncidentKind.HAZARD:
        looks.append(text("rule.never_down"))
    return Explained(
        title=text(code, rule=rule.id, hazard=hazard, zones=telling.zone_names(zones)),
        paragraphs=(
            Paragraph(text("title.rule"), tuple(looks)),
            Paragraph(text("title.validity"), tuple(_validity(telling, rule, now))),
            *_action(telling, town, rule, now),
        ),
    )


def _telling_of(town: Municipality) -> Telling:
    judged: defaultdict[Hazard, set[str]] = defaultdict(set)
    for rule in town.rulebook.rules:
        judged[rule.hazard] |= {each.sensor for each in rule.judges()}
    names = {operator.id: operator.name for operator in town.operators}
    return Telling(
        town=town.town,
        time_zone=town.zone_info,
        sensors=town.sensor_of,
        zones=town.zone_of,
        names={person.person_id: person.name for person in town.directory} | names,
        judged={hazard: tuple(sorted(sensors)) for hazard, sensors in judged.items()},
    )


def _validity(telling: Telling, rule: Rule, now: datetime) -> Iterator[str]:
    since = telling.moment(rule.valid_from)
    if rule.valid_to is None:
        yield text("validity.since", since=since)
    else:
        yield text("validity.between", since=since, until=telling.moment(rule.valid_to))
    if now < rule.valid_from:
        yield text("validity.later")
    elif not rule.in_force(now):
        yield text("validity.past")
    for judged in rule.judges():
        sensor = telling.sensors[judged.sensor]
        if sensor.datum_since is not None and judged.datum != sensor.datum:
            yield text("validity.datum_left", since=telling.moment(sensor.datum_since), datum=sensor.datum)
        elif sensor.datum_since == rule.valid_from:
            yield text("validity.datum_begun")
    yield text("validity.author", author=rule.author)
    yield text("validity.signed", signers=in_a_row(telling.name(signer) for signer in rule.signed_by))
    yield text("validity.source", source=rule.source)


def _action(telling: Telling, town: Municipality, rule: Rule, now: datetime) -> Iterator[Paragraph]:
    """Return what is done at each level that the rule can bring about."""
    protocol = town.protocols.of(rule.hazard, rule.incident_kind)
    told: LevelPlan | None = None
    for level in rule.reached():
        plan = None if protocol is None else protocol.at(level)
        sentences = [text("action.none")] if plan is None else [*_plan(telling, plan)]
        if plan is not None and plan is told:
            sentences = [text("action.same", before=telling.level(plan.level))]
        if protocol is not None and protocol.warning is not None and protocol.warning.from_level == level:
            sentences += _warning(town, protocol.warning, rule, now)
        yield Paragraph(text("title.action", level=telling.level(level)), tuple(sentences))
        told = plan


def _plan(telling: Telling, plan: LevelPlan) -> Iterator[str]:
    for (after_s, who), steps in groupby(plan.steps, key=lambda step: (step.after_s, step.who)):
        yield _step(after_s, who, [*steps])
    for task in plan.tasks:
        yield _task(telling, task)


def _step(after_s: int, who: Who, steps: Sequence[Step]) -> str:
    words = {"channels": _channels(step.channel for step in steps), "who": text(f"action.who.{who.value}")}
    if after_s == 0:
        return text("action.at_once", **words)
    return text("action.after", after=span(timedelta(seconds=after_s)), **words)


def _channels(channels: Iterable[Channel]) -> str:
    return in_a_row(text(f"action.channel.{channel.value}") for channel in dict.fromkeys(channels))


def _task(telling: Telling, task: PlannedTask) -> str:
    words = {"who": telling.name(task.assignee), "title": task.title}
    if task.due_s is None:
        return text("action.task_open", **words)
    return text("action.task", due=span(timedelta(seconds=task.due_s)), **words)


def _warning(town: Municipality, plan: WarningPlan, rule: Rule, now: datetime) -> Iterator[str]:
    signatures = town.town.approval.signatures
    asked = text("action.signatures.one") if signatures == 1 else text("action.signatures.more", n=signatures)
    yield text("action.warning", signatures=asked)
    for release in town.legal.safe_release:
        if _lets_out(release, rule, plan.from_level, now):
            code = "action.release" if release.min_sources == 1 else "action.release_confirmed"
            yield text(
                code,
                after=span(timedelta(seconds=release.after_s)),
                sources=release.min_sources,
                resolution=release.resolution,
            )
    yield text("action.validity", hours=span(plan.valid_for))


def _lets_out(release: SafeRelease, rule: Rule, level: Level, now: datetime) -> bool:
    covers = not release.zones or set(rule.places()) <= set(release.zones)
    reached = any(release.min_level <= each for each in rule.reached() if each >= level)
    return release.hazard == rule.hazard and covers and reached and release.in_force(now)
