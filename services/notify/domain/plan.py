"""Decide who is told what about an incident, and why nobody else is. Pure; used live and in backtests.

Inside the town hall the level alone speaks: pages and tasks need no authority. Words for residents are
only ever *asked for* here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import ZoneText
from schemas.municipality.duty import LevelPlan, Protocol, WarningPlan
from schemas.municipality.folder import Municipality
from schemas.vocabulary import Hazard, IncidentKind, Level, TaskKind, WarningState
from services.notify.domain import names
from services.notify.domain.lint import Finding, lint_warning, refused
from services.notify.domain.render import Catalogues, MixedMessage, Words, zone_texts
from services.notify.domain.warning import end_of_validity, material_change

_ONLY_REPORTED = frozenset({Hazard.FIRE, Hazard.STREET, Hazard.RESCUE})
"""No sensor measures these: people report them."""


@dataclass(frozen=True, slots=True)
class Told:
    """What people inside were last told of this incident; level 0 when nothing yet."""

    level: Level = Level.NORMAL
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldWarning:
    """The newest warning of the incident, at what it says now, and what is being asked about it."""

    number: int
    state: WarningState
    level: Level
    zones: tuple[str, ...]
    asked_level: Level | None = None
    asked_zones: tuple[str, ...] = ()

    @property
    def is_asked(self) -> bool:
        return self.asked_level is not None


@dataclass(frozen=True, slots=True)
class Held:
    """All that notify knows of an incident before this version of it.

    Attributes:
        version: The version that was planned last; the same one planned afresh is no news.
    """

    told: Told = Told()
    warning: HeldWarning | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Ring the roster by the town's steps. ``order`` is whom, in order."""

    level: Level
    steps: LevelPlan
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """Ask for authority over exactly these words. The question to the roster doubles as its page."""

    number: int
    warning_id: str
    level: Level
    zones: tuple[str, ...]
    texts: tuple[ZoneText, ...]
    verify_code: str
    valid_until: datetime
    rule: WarningPlan
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """``subject`` makes it one task per incident, kind and thing."""

    kind: TaskKind
    subject: str
    assignee: str
    title: str
    site: str | None
    due_at: datetime | None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and the reasons for it and for what is not done.

    Attributes:
        void: Why the open request no longer stands.
        blocked: The words that should have been asked for cannot be: a person must know why.
    """

    reasons: tuple[Reason, ...]
    page: PagePlan | None = None
    request: RequestPlan | None = None
    tasks: tuple[TaskPlan, ...] = ()
    void: Reason | None = None
    blocked: tuple[Reason, ...] = ()


def plan(
    incident: IncidentSnapshot,
    town: Municipality,
    held: Held,
    *,
    now: datetime,
    catalogues: Catalogues,
    exercise_id: str | None = None,
) -> Plan:
    """Return what this version of the incident asks for, given what was done about earlier ones."""
    protocol = protocol_for(incident, town)
    level_plan = protocol.at(incident.level) or _lowest_for_any_level(incident, protocol)
    void = _void(incident, held.warning)
    asked, why_asked, blocked = _request(
        incident, town, held, protocol, now=now, catalogues=catalogues, exercise_id=exercise_id
    )
    more_to_say = bool(asked or blocked) or (incident.version > held.version and _tells_of_danger(incident))
    page, why_page = _page(incident, town, held.told, level_plan, more_to_say=more_to_say, now=now)
    return Plan(
        reasons=(*((void,) if void else ()), *blocked, *why_asked, *why_page),
        page=page,
        request=asked,
        tasks=()
        if _is_another_danger(incident, protocol)
        else tuple(
            task
            for each in _passed(incident, protocol, level_plan)
            for task in _tasks(incident, town, each, now)
        ),
        void=void,
        blocked=blocked,
    )


def protocol_for(incident: IncidentSnapshot, town: Municipality) -> Protocol:
    """Return the town's protocol; for a hazard it wrote none about, the first: unknown is not low."""
    rows = town.protocols
    return (
        rows.of(incident.hazard, incident.kind)
        or rows.of(incident.hazard, IncidentKind.HAZARD)
        or rows.protocols[0]
    )


def _lowest_for_any_level(incident: IncidentSnapshot, protocol: Protocol) -> LevelPlan | None:
    """A silent site, or somebody in danger, is always a person's business, whatever the level."""
    if incident.kind is not IncidentKind.NO_DATA and not _tells_of_danger(incident):
        return None
    return min(protocol.levels, key=lambda row: row.level)


def _tells_of_danger(incident: IncidentSnapshot) -> bool:
    """Return whether this version brings people's words of a danger to life that nobody had reported."""
    return any(reason.code == "report.danger" for reason in incident.reasons)


def _is_another_danger(incident: IncidentSnapshot, protocol: Protocol) -> bool:
    """A town without a protocol for a live cable calls by its first one, and does not empty streets by it."""
    return incident.hazard in _ONLY_REPORTED and protocol.hazard is not incident.hazard


def roster_order(town: Municipality, level_plan: LevelPlan, now: datetime) -> tuple[str, ...]:
    """Return whom to ring now, in order."""
    return town.roster_of[level_plan.roster].order(town.local(now))


def _void(incident: IncidentSnapshot, warning: HeldWarning | None) -> Reason | None:
    if warning is None or warning.asked_level is None:
        return None
    return material_change(warning.asked_level, warning.asked_zones, incident)


def _request(
    incident: IncidentSnapshot,
    town: Municipality,
    held: Held,
    protocol: Protocol,
    *,
    now: datetime,
    catalogues: Catalogues,
    exercise_id: str | None,
) -> tuple[RequestPlan | None, tuple[Reason, ...], tuple[Reason, ...]]:
    rule = None if _is_another_danger(incident, protocol) else protocol.warning
    why_not = _why_no_request(incident, held.warning, rule)
    if why_not is not None or rule is None:
        return None, (why_not,) if why_not else (), ()
    zones = tuple(sorted(zone for zone in incident.zones if zone in town.zone_of))
    if not zones:
        text = "Ninguna zona del incidente está en el mapa del municipio: no hay a quién avisar."
        return None, (), (Reason(code="plan.no_known_zone", text=text),)
    number = _number(held.warning)
    warning_id = names.warning_id(town.id, incident.incident_id, number)
    words = Words(
        kind="warning",
        template=rule.template,
        level=incident.level,
        valid_until=end_of_validity(now, rule.valid_for),
        now=now,
        verify_code=names.verify_code(town.id, warning_id),
        exercise_id=exercise_id,
    )
    try:
        texts = zone_texts(words, town, incident, zones, catalogues)
    except MixedMessage as err:
        return None, (), (Reason(code="plan.mixed_message", text=str(err)),)
    findings = lint_warning(texts, town, incident.hazard, words.verify_code, catalogues)
    if stops := refused(findings):
        return None, (), stops
    asked = RequestPlan(
        number=number,
        warning_id=warning_id,
        level=incident.level,
        zones=zones,
        texts=texts,
        verify_code=words.verify_code,
        valid_until=words.valid_until,
        rule=rule,
        findings=findings,
    )
    said = f"Nivel {int(incident.level)}: se pide autorización para avisar a {_zone_names(town, zones)}."
    return asked, (Reason(code="plan.authority_asked", text=said),), ()


def _why_no_request(
    incident: IncidentSnapshot, warning: HeldWarning | None, rule: WarningPlan | None
) -> Reason | None:
    """Return why residents are not to be warned by this version; ``None`` when authority must be asked."""
    if incident.kind is IncidentKind.NO_DATA:
        return Reason(code="plan.silence", text="Un sensor callado no se anuncia a vecinos: se manda a leer.")
    if incident.kind is not IncidentKind.HAZARD:
        text = "No se conoce esta clase de incidente: lo mira una persona, no se avisa a vecinos."
        return Reason(code="plan.unknown_kind", text=text)
    if rule is None:
        return Reason(code="plan.no_warning_rule", text="El protocolo no prevé avisar a vecinos.")
    if incident.level < rule.from_level:
        text = f"Nivel {int(incident.level)}: los vecinos se avisan desde el nivel {int(rule.from_level)}."
        return Reason(code="plan.below_warning_level", text=text)
    if warning is None or warning.state is WarningState.VOIDED:
        return None
    if warning.is_asked:
        changed = warning.asked_level is not None and material_change(
            warning.asked_level, warning.asked_zones, incident
        )
        if not changed:
            return Reason(code="plan.already_asked", text="La autorización ya está pedida y sigue en pie.")
    grows = incident.level > warning.level or not set(incident.zones) <= set(warning.zones)
    if warning.state is WarningState.AUTHORISED and not grows:
        return Reason(code="plan.in_force", text="El aviso vigente ya dice esto.")
    rose = incident.level > incident.previous_level
    if warning.state in {WarningState.REJECTED, WarningState.LIFTED} and not (grows or rose):
        return Reason(
            code="plan.decided", text="Una persona ya decidió sobre este aviso y nada ha empeorado."
        )
    return None


def _number(warning: HeldWarning | None) -> int:
    """A warning that was rejected or lifted is over: what follows is another one."""
    if warning is None:
        return 1
    over = warning.state in {WarningState.REJECTED, WarningState.LIFTED}
    return warning.number + 1 if over else warning.number


def _page(
    incident: IncidentSnapshot,
    town: Municipality,
    told: Told,
    level_plan: LevelPlan | None,
    *,
    more_to_say: bool,
    now: datetime,
) -> tuple[PagePlan | None, tuple[Reason, ...]]:
    if level_plan is None:
        text = f"Nivel {int(incident.level)}: el protocolo no manda despertar a nadie."
        return None, (Reason(code="plan.below_page_level", text=text),)
    place = (*incident.zones, *((incident.site,) if incident.site else ()))
    news = incident.level > told.level or not set(place) <= set(told.zones)
    if not (news or more_to_say):
        return None, (Reason(code="plan.already_told", text="Los de turno ya saben esto: no se repite."),)
    order = roster_order(town, level_plan, now)
    page = PagePlan(level=incident.level, steps=level_plan, order=order)
    text = f"Nivel {int(incident.level)}: se llama a {', '.join(order)} en ese orden."
    return page, (Reason(code="plan.page", text=text),)


def _passed(
    incident: IncidentSnapshot, protocol: Protocol, level_plan: LevelPlan | None
) -> tuple[LevelPlan, ...]:
    """Return the plans whose levels the incident has just risen through, else the one in force.

    A river that is found two levels higher needs the shelter that the level between would have opened.
    """
    risen = [row for row in protocol.levels if incident.previous_level < row.level <= incident.level]
    if risen:
        return tuple(sorted(risen, key=lambda row: row.level))
    return () if level_plan is None else (level_plan,)


def _tasks(
    incident: IncidentSnapshot, town: Municipality, level_plan: LevelPlan, now: datetime
) -> tuple[TaskPlan, ...]:
    planned = [
        TaskPlan(
            kind=row.kind,
            subject=incident.site or f"{row.assignee}/{int(level_plan.level)}",
            assignee=row.assignee,
            title=row.title,
            site=incident.site,
            due_at=now + timedelta(seconds=row.due_s) if row.due_s else None,
            level=level_plan.level,
        )
        for row in level_plan.tasks
    ]
    if incident.kind is IncidentKind.NO_DATA and not _reads_gauge(planned):
        planned.append(_read_gauge(incident, town, level_plan, now))
    return tuple(planned)


def _reads_gauge(planned: Sequence[TaskPlan]) -> bool:
    return any(task.kind is TaskKind.READ_GAUGE for task in planned)


def _read_gauge(
    incident: IncidentSnapshot, town: Municipality, level_plan: LevelPlan, now: datetime
) -> TaskPlan:
    """Silence is not all-clear: somebody looks, even where the protocol forgot to say so."""
    site = incident.site or incident.incident_id
    assignee = roster_order(town, level_plan, now)[0]
    title = f"Leer la regla en {site}: el sensor dejó de reportar"
    return TaskPlan(TaskKind.READ_GAUGE, site, assignee, title, incident.site, None)


def _zone_names(town: Municipality, zones: Sequence[str]) -> str:
    return ", ".join(town.zone_of[zone].name for zone in zones)
