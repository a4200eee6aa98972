"""What the town's own facts, its authority and its duty can say that would leave nobody to answer."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.municipality.document import Loc, Placed
from schemas.municipality.draft import Draft
from schemas.municipality.duty import Person, Protocol, Resident, Roster
from schemas.municipality.errors import FolderError
from schemas.municipality.town import Legal, Operator, Role
from schemas.vocabulary import IncidentKind

PRODUCTION = "production"
SUCCESSION_DEPTH = 3


def check_people(draft: Draft, environment: str) -> Iterator[FolderError]:
    persons = {placed.value.person_id for placed in draft.directory}
    yield from _town(draft)
    if environment != PRODUCTION:
        yield from _real_numbers(draft)
    for operator in draft.operators:
        yield from _operator(operator, persons)
    if draft.legal is not None:
        yield from _legal(draft.legal, draft)
    for roster in draft.rosters:
        yield from _roster(roster, persons)
    rosters = {placed.value.id for placed in draft.rosters}
    for protocol in draft.protocols:
        yield from _protocol(protocol, rosters, persons)
    zones = {placed.value.properties.id for placed in draft.zones}
    for resident in draft.residents:
        if resident.value.zone not in zones:
            yield resident.fault(("zone",), f"{resident.value.zone} is not a zone of zones.geojson")
        if resident.value.resident_id in persons:
            reason = f"{resident.value.resident_id} is a person of directory.csv; it needs another id"
            yield resident.fault(("resident_id",), reason)


def _town(draft: Draft) -> Iterator[FolderError]:
    if draft.town is None:
        return
    town = draft.town.value
    if town.id != draft.folder.resolve().name:
        yield draft.town.fault(("id",), f"{town.id} is not the name of its folder")
    authorisers = sum(Role.AUTHORISER in placed.value.roles for placed in draft.operators)
    if draft.operators and authorisers < town.approval.signatures:
        reason = f"asks for {town.approval.signatures} but operators.yaml names {authorisers} authoriser(s)"
        yield draft.town.fault(("approval", "signatures"), reason)
    for placed in _phones(draft):
        if placed.value.language not in town.languages:
            reason = f"{placed.value.language} is not a language of municipality.yaml"
            yield placed.fault(("language",), reason)


def _phones(draft: Draft) -> list[Placed[Person] | Placed[Resident]]:
    return [*draft.directory, *draft.residents]


def _real_numbers(draft: Draft) -> Iterator[FolderError]:
    """Find numbers that could be somebody's: outside production the folder may hold none."""
    if draft.town is None:
        return
    prefix = draft.town.value.fictional_prefix
    if prefix is None:
        yield draft.town.fault(("fictional_prefix",), "is required outside production")
        return
    reason = f"is outside the fictional range {prefix}, and this is not production"
    if not draft.town.value.sender.number.startswith(prefix):
        yield draft.town.fault(("sender", "number"), reason)
    for placed in _phones(draft):
        if not placed.value.phone.startswith(prefix):
            yield placed.fault(("phone",), reason)


def _operator(operator: Placed[Operator], persons: set[str]) -> Iterator[FolderError]:
    row = operator.value
    if row.person_id not in persons:
        yield operator.fault(("person_id",), f"{row.person_id} is not a person of directory.csv")
    if row.public_key is None and row.public_key_file is None:
        yield operator.fault(("public_key",), "is required, or public_key_file")
    if row.valid_to is not None and row.valid_to <= row.valid_from:
        yield operator.fault(("valid_to",), "must be after valid_from")


def _legal(legal: Placed[Legal], draft: Draft) -> Iterator[FolderError]:
    roles = {placed.value.id: placed.value.roles for placed in draft.operators}
    for index, signatory in enumerate(legal.value.signatories):
        here = ("signatories", index, "operator")
        if signatory.operator not in roles:
            yield legal.fault(here, f"{signatory.operator} is not an operator of operators.yaml")
        elif Role.AUTHORISER not in roles[signatory.operator]:
            yield legal.fault(here, f"{signatory.operator} does not have the role authoriser")
    zones = {placed.value.properties.id for placed in draft.zones}
    for index, release in enumerate(legal.value.safe_release):
        for at, zone in enumerate(release.zones):
            if zone not in zones:
                reason = f"{zone} is not a zone of zones.geojson"
                yield legal.fault(("safe_release", index, "zones", at), reason)
        if release.valid_to <= release.valid_from:
            yield legal.fault(("safe_release", index, "valid_to"), "must be after valid_from")
    for index, period in enumerate(legal.value.electoral_periods):
        if period.ends < period.starts:
            yield legal.fault(("electoral_periods", index, "ends"), "must not be before starts")


def _roster(roster: Placed[Roster], persons: set[str]) -> Iterator[FolderError]:
    row = roster.value
    lists: list[tuple[Loc, tuple[str, ...]]] = [(("succession",), row.succession)]
    lists += [(("shifts", index, "on_duty"), shift.on_duty) for index, shift in enumerate(row.shifts)]
    for loc, named in lists:
        for index, person in enumerate(named):
            if person not in persons:
                yield roster.fault((*loc, index), f"{person} is not a person of directory.csv")
    if len(set(row.succession)) < SUCCESSION_DEPTH:
        reason = f"names {len(set(row.succession))}; authority must be at least {SUCCESSION_DEPTH} deep"
        yield roster.fault(("succession",), reason)
    for index, shift in enumerate(row.shifts):
        if shift.starts.tzinfo is not None or shift.ends.tzinfo is not None:
            yield roster.fault(("shifts", index), "has an offset; expected local hours such as 06:00")


def _protocol(protocol: Placed[Protocol], rosters: set[str], persons: set[str]) -> Iterator[FolderError]:
    levels = [plan.level for plan in protocol.value.levels]
    for index, plan in enumerate(protocol.value.levels):
        here = ("levels", index)
        if plan.roster not in rosters:
            yield protocol.fault((*here, "roster"), f"{plan.roster} is not a roster of shifts.yaml")
        if index and plan.level <= levels[index - 1]:
            reason = (
                f"levels overlap: {plan.level} follows {levels[index - 1]}; expected each once, ascending"
            )
            yield protocol.fault((*here, "level"), reason)
        for at, step in enumerate(plan.steps):
            if at and step.after_s < plan.steps[at - 1].after_s:
                yield protocol.fault((*here, "steps", at, "after_s"), "is before the step above it")
        for at, task in enumerate(plan.tasks):
            if task.assignee not in persons:
                reason = f"{task.assignee} is not a person of directory.csv"
                yield protocol.fault((*here, "tasks", at, "assignee"), reason)
    yield from _warning(protocol)


def _warning(protocol: Placed[Protocol]) -> Iterator[FolderError]:
    plan = protocol.value.warning
    if plan is None:
        return
    if protocol.value.kind is IncidentKind.NO_DATA:
        yield protocol.fault(("warning",), "a silent sensor is no danger that residents are warned of")
    if plan.auto_renew_before_min >= plan.renew_before_min:
        reason = f"must be less than renew_before_min {plan.renew_before_min}: first a person is asked"
        yield protocol.fault(("warning", "auto_renew_before_min"), reason)
    if plan.renew_before_min >= plan.valid_hours * 60:
        reason = f"must be less than the {plan.valid_hours} h that the warning is valid"
        yield protocol.fault(("warning", "renew_before_min"), reason)
