"""Whom notify's own plan would have told what: pages, tasks, and words for residents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import Audience, WarningRequested
from schemas.municipality import Municipality
from schemas.vocabulary import Channel, IncidentState, WarningState
from services.notify.domain import compose
from services.notify.domain.authority import release_for
from services.notify.domain.plan import Held, HeldWarning, PagePlan, Plan, RequestPlan, TaskPlan, Told, plan
from services.notify.domain.render import finished
from services.notify.domain.segments import segments_of
from services.notify.texts import catalogue
from services.triage.domain.changes import Change

CODE: Final = "0000"
"""Stands for the four digits by which a person answers; nobody answers a backtest."""
RESIDENTS: Final = "residents"


@dataclass(slots=True)
class Messages:
    """What would have been said, in order.

    Authority over words for residents is taken as given at once; steps that only follow because nobody
    answers, and renewals, are left out.
    """

    town: Municipality
    items: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    _held: dict[str, Held] = field(default_factory=dict)
    _given: set[tuple[str, str, str]] = field(default_factory=set)

    def hear(self, change: Change) -> None:
        """Plan for a new version of an incident, as notify does."""
        incident = change.snapshot
        if incident is None:
            return
        if incident.state is IncidentState.CLOSED:
            self._held.pop(incident.incident_id, None)
            return
        held = self._held.get(incident.incident_id, Held())
        catalogues = {language: catalogue(language) for language in self.town.town.languages}
        todo = plan(incident, self.town, held, now=change.at, catalogues=catalogues)
        self._held[incident.incident_id] = _held_now(incident, held, todo)
        self._say(incident, todo, change.at)

    def _say(self, incident: IncidentSnapshot, todo: Plan, at: datetime) -> None:
        if todo.page is not None:
            text = self._page_text(incident, todo, todo.page, at)
            self._add(at, incident, todo.page.steps.roster, incident.zones, text)
        if todo.request is not None:
            for words in todo.request.texts:
                self._add(at, incident, RESIDENTS, (words.zone,), words.text, level=int(todo.request.level))
        for task in todo.tasks:
            self._give(at, incident, task)

    def _page_text(self, incident: IncidentSnapshot, todo: Plan, page: PagePlan, at: datetime) -> str:
        words = catalogue(self._language(page.order[0]) if page.order else self.town.town.languages[0])
        if todo.request is None:
            text = compose.page(self.town, incident, CODE, words, todo.blocked)
        else:
            asked = self._asked(incident, todo.request, todo.reasons)
            release = release_for(self.town, incident, asked.level, asked.zones, at)
            text = compose.question(
                self.town, incident, asked, code=CODE, release=release, waited_s=0, catalogue=words
            )
        asks = todo.request is not None
        return compose.for_channel(text, Channel.SMS, code=CODE, asks=asks, exercise_id=None, catalogue=words)

    def _asked(
        self, incident: IncidentSnapshot, asked: RequestPlan, reasons: Sequence[Reason]
    ) -> WarningRequested:
        phones = sum(resident.zone in asked.zones for resident in self.town.residents)
        people = sum(self.town.zone_of[zone].population for zone in asked.zones)
        return WarningRequested(
            warning_id=asked.warning_id,
            version=1,
            incident_id=incident.incident_id,
            incident_version=incident.version,
            hazard=incident.hazard,
            level=asked.level,
            state=WarningState.REQUESTED,
            zones=asked.zones,
            texts=asked.texts,
            audience=Audience(digest="backtest", phones=phones, inhabitants=people),
            content_hash="backtest",
            verify_code=asked.verify_code,
            valid_until=asked.valid_until,
            reasons=tuple(reasons),
        )

    def _give(self, at: datetime, incident: IncidentSnapshot, task: TaskPlan) -> None:
        """Give a task once per incident, kind and thing."""
        key = (incident.incident_id, task.kind.value, task.subject)
        if key in self._given:
            return
        self._given.add(key)
        self.tasks.append(
            {
                "at": at,
                "incident_id": incident.incident_id,
                "kind": task.kind.value,
                "assignee": task.assignee,
                "title": task.title,
                "site": task.site,
                "due_at": task.due_at,
            }
        )
        words = catalogue(self.town.town.languages[0])
        place = compose.place(incident, self.town)
        what = f"{task.title}. {place}" if place else task.title
        text = words.text("task.text").format(town=self.town.town.name, what=what, code=CODE)
        self._add(at, incident, task.assignee, incident.zones, finished(text, None, words))

    def _add(
        self,
        at: datetime,
        incident: IncidentSnapshot,
        audience: str,
        zones: Sequence[str],
        text: str,
        *,
        level: int | None = None,
    ) -> None:
        self.items.append(
            {
                "at": at,
                "level": int(incident.level) if level is None else level,
                "audience": audience,
                "zone": ",".join(zones) or None,
                "text": text,
                "segments": segments_of(text),
                "incident_id": incident.incident_id,
            }
        )

    def _language(self, person_id: str) -> str:
        person = self.town.person_of.get(person_id)
        return str(getattr(person, "language", None) or self.town.town.languages[0])


def _held_now(incident: IncidentSnapshot, held: Held, todo: Plan) -> Held:
    """Return what notify would hold after this version: who was told, and which warning is in force."""
    warning = held.warning
    if todo.request is not None:
        asked = todo.request
        warning = HeldWarning(asked.number, WarningState.AUTHORISED, asked.level, asked.zones)
    places = (*incident.zones, *((incident.site,) if incident.site else ()))
    if todo.page is not None or incident.level < held.told.level:
        return Held(Told(incident.level, places), warning)
    kept = tuple(sorted(set(held.told.zones) & set(places)) or held.told.zones)
    return Held(Told(held.told.level, kept), warning)
