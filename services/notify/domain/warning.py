"""The life of a warning as a table of allowed steps. Pure.

A warning never lapses: there is no step that ends it but a person's lift, and no state for "expired".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.municipality.duty import WarningPlan
from schemas.vocabulary import Level, WarningState

_ROUND_TO_MIN: Final = 5


class Step(StrEnum):
    """What may happen to a warning."""

    REQUEST = "request"
    AUTHORISE = "authorise"
    REJECT = "reject"
    VOID = "void"
    RENEW = "renew"
    CORRECT = "correct"
    LIFT = "lift"
    BREAK = "break"


# A warning in force stays in force while something new about it is asked, refused or made void.
TRANSITIONS: Final[dict[tuple[WarningState | None, Step], WarningState]] = {
    (None, Step.REQUEST): WarningState.REQUESTED,
    (WarningState.REQUESTED, Step.AUTHORISE): WarningState.AUTHORISED,
    (WarningState.REQUESTED, Step.REJECT): WarningState.REJECTED,
    (WarningState.REQUESTED, Step.VOID): WarningState.VOIDED,
    (WarningState.VOIDED, Step.REQUEST): WarningState.REQUESTED,
    (WarningState.AUTHORISED, Step.REQUEST): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.AUTHORISE): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.REJECT): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.VOID): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.RENEW): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.CORRECT): WarningState.AUTHORISED,
    (WarningState.AUTHORISED, Step.LIFT): WarningState.LIFTED,
    (WarningState.AUTHORISED, Step.BREAK): WarningState.VOIDED,
}

_NAMES: Final = {
    None: "no existe",
    WarningState.REQUESTED: "espera autorización",
    WarningState.AUTHORISED: "está vigente",
    WarningState.REJECTED: "fue rechazado",
    WarningState.VOIDED: "quedó sin efecto",
    WarningState.LIFTED: "ya terminó",
    WarningState.UNKNOWN: "tiene un estado que no se conoce",
}


class NotAllowed(ValueError):
    """The table has no such step. ``reason`` says so to a person."""

    def __init__(self, state: WarningState | None, step: Step) -> None:
        said = _NAMES.get(state, str(state))
        self.reason = Reason(code=f"warning.not_{step}", text=f"No se puede: el aviso {said}.")
        super().__init__(f"{step} is not allowed on a warning in state {state}")


def move(state: WarningState | None, step: Step) -> WarningState:
    """Return the state after the step; NotAllowed when the table has none."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise NotAllowed(state, step) from None


def may(state: WarningState | None, step: Step) -> bool:
    return (state, step) in TRANSITIONS


def material_change(level: Level, zones: Iterable[str], incident: IncidentSnapshot) -> Reason | None:
    """Return why what was asked for no longer fits the incident, or ``None`` while it does.

    Evidence and corroboration may grow without voiding anything; another level or another area may not.
    """
    if incident.level != level:
        return Reason(
            code="request.level_changed",
            text=f"El nivel pasó de {int(level)} a {int(incident.level)}: lo pedido queda sin efecto.",
        )
    if set(incident.zones) != set(zones):
        return Reason(code="request.zones_changed", text="Cambiaron las zonas: lo pedido queda sin efecto.")
    return None


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a person is asked about a warning's end, and when it renews itself if nobody answers."""

    ask_at: datetime
    apply_at: datetime


def renewal(valid_until: datetime, plan: WarningPlan) -> Renewal:
    return Renewal(
        ask_at=valid_until - timedelta(minutes=plan.renew_before_min),
        apply_at=valid_until - timedelta(minutes=plan.auto_renew_before_min),
    )


def end_of_validity(since: datetime, valid_for: timedelta) -> datetime:
    """Return the end as a text can say it: up to the next full five minutes."""
    end = since + valid_for
    past = timedelta(minutes=end.minute % _ROUND_TO_MIN, seconds=end.second, microseconds=end.microsecond)
    return end + (timedelta(minutes=_ROUND_TO_MIN) - past if past else timedelta())
