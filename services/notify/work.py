"""One open transaction on behalf of one town: what every flow needs to decide, save and tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.base import Event
from schemas.municipality.folder import Municipality
from schemas.topics import BY_TYPE, DECISIONS, TASKS, WARNINGS
from schemas.vocabulary import Lane
from services.notify.domain import names
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.render import Catalogues
from services.notify.texts import catalogue
from services.runtime.outbox import Outgoing

if TYPE_CHECKING:
    from services.notify.app import App

log = structlog.get_logger()

SOURCE: Final = "/notify"
_LANES: Final = {DECISIONS.name: Lane.DECISIONS, WARNINGS.name: Lane.WARNINGS, TASKS.name: Lane.WARNINGS}


@dataclass(frozen=True, slots=True)
class Work:
    """Attributes of the work in hand; ``now`` is one moment for all that happens in it."""

    app: App
    conn: AsyncConnection
    town: Municipality
    now: datetime
    correlation_id: str | None = None
    causation_id: str | None = None
    exercise_id: str | None = None

    @property
    def municipality(self) -> str:
        return self.town.id

    @property
    def catalogues(self) -> Catalogues:
        return {language: catalogue(language) for language in self.town.town.languages}

    def catalogue_of(self, person_id: str) -> Catalogue:
        """Return the texts in the language of a person on duty."""
        person = self.town.person_of.get(person_id)
        return catalogue(person.language if person else self.town.town.languages[0])

    def about(self, *, exercise_id: str | None, correlation_id: str | None) -> Work:
        """Return the same work, its events tied to an incident's chain and drill."""
        return replace(self, exercise_id=exercise_id, correlation_id=correlation_id or self.correlation_id)

    async def publish(self, event: Event, *, key: str, identity: tuple[object, ...]) -> None:
        """Hand an event to the outbox; doing the same again gives it the same id.

        Args:
            event: What happened.
            key: The topic's key: the incident, or the municipality for decisions.
            identity: What makes this event the same one when it is written again.
        """
        topic, _ = BY_TYPE[event.TYPE]
        envelope = Envelope(
            id=names.derived(event.TYPE, self.municipality, *identity),
            source=SOURCE,
            type=event.TYPE,
            time=self.now,
            municipality=self.municipality,
            subject=key,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            exercise_id=self.exercise_id,
        )
        lane = _LANES.get(topic.name, Lane.MESSAGES)
        outgoing = Outgoing(topic.name, key, envelope, event.json_bytes(), lane)
        await self.app.outbox.add(self.conn, self.municipality, [outgoing])
        log.info("notify.event_written", type=event.TYPE, municipality=self.municipality, key=key)
