"""By what right words become public, and why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.events.base import Reason
from schemas.events.decisions import CoordinatorDecided
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import Authority, ZoneText, content_hash
from schemas.municipality.folder import Municipality
from schemas.municipality.town import Operator, Role, SafeRelease
from schemas.vocabulary import AuthorityKind, EvidenceSource, Level, Verb

_PUBLIC_VERBS: Final = frozenset({Verb.APPROVE, Verb.REJECT, Verb.RENEW, Verb.CORRECT, Verb.LIFT})


@dataclass(frozen=True, slots=True)
class Bound:
    """What an authorisation binds: change one byte of any of it and the hash is another."""

    incident_id: str
    incident_version: int
    zones: tuple[str, ...]
    texts: tuple[ZoneText, ...]
    audience_digest: str

    @property
    def content_hash(self) -> str:
        return content_hash(
            incident_id=self.incident_id,
            incident_version=self.incident_version,
            zones=self.zones,
            texts=self.texts,
            audience_digest=self.audience_digest,
        )


@dataclass(frozen=True, slots=True)
class Right:
    """``authority`` when it is given; else the reasons why not."""

    authority: Authority | None
    reasons: tuple[Reason, ...]


def operator_of_person(town: Municipality, person_id: str, at: datetime) -> Operator | None:
    """Return the operator whose phone this person carries; of several, one in office first."""
    theirs = [operator for operator in town.operators if operator.person_id == person_id]
    return min(theirs, key=lambda operator: not operator.in_office(at), default=None)


def right_of_operator(decision: CoordinatorDecided, town: Municipality, at: datetime) -> Right:
    """Say whether this operator may decide this today: known, in office, of the role, named by the law."""
    operator = town.operator_of.get(decision.operator_id)
    if operator is None:
        return _no("operator.unknown", f"No hay operador «{decision.operator_id}» en este municipio.")
    if not operator.in_office(at):
        return _no("operator.not_in_office", f"«{operator.id}» no está en funciones en esta fecha.")
    instrument = next((row.instrument for row in town.legal.signatories if row.operator == operator.id), None)
    if decision.verb in _PUBLIC_VERBS:
        if Role.AUTHORISER not in operator.roles:
            return _no("operator.not_authoriser", f"«{operator.id}» no tiene el papel de autorizar avisos.")
        if instrument is None:
            return _no("operator.no_instrument", f"Ningún instrumento legal faculta a «{operator.id}».")
    return Right(
        Authority(
            kind=AuthorityKind.OPERATOR,
            operator_id=operator.id,
            instrument=instrument,
            decision_id=decision.decision_id,
            at=at,
        ),
        (
            Reason(
                code="authority.operator", text=f"Lo decidió «{operator.id}» ({instrument or 'de turno'})."
            ),
        ),
    )


def release_for(
    town: Municipality, incident: IncidentSnapshot, level: Level, zones: Sequence[str], at: datetime
) -> SafeRelease | None:
    """Return the resolution in force that speaks for this hazard, level and area, if there is one."""
    for row in town.legal.safe_release:
        fits = row.hazard == incident.hazard and level >= row.min_level and row.in_force(at)
        if fits and (not row.zones or set(zones) <= set(row.zones)):
            return row
    return None


def safe_release(
    town: Municipality,
    incident: IncidentSnapshot,
    level: Level,
    zones: Sequence[str],
    *,
    asked_at: datetime,
    at: datetime,
) -> Right:
    """Say whether the warning may go out although nobody answered, and on which resolution."""
    row = release_for(town, incident, level, zones, at)
    if row is None:
        return _no("release.no_resolution", "No hay resolución vigente que deje salir este aviso sin firma.")
    waited_s = int((at - asked_at).total_seconds())
    if at < asked_at + timedelta(seconds=row.after_s):
        return _no("release.too_early", f"Aún se espera respuesta: {waited_s} s de {row.after_s} s.")
    if incident.corroboration < row.min_sources:
        return _no(
            "release.not_corroborated",
            f"No salió solo: confirmado en {incident.corroboration} de {row.min_sources} sitios.",
        )
    if doubtful := _only_reported(town, incident, zones):
        names = ", ".join(town.zone_of[zone].name for zone in sorted(doubtful) if zone in town.zone_of)
        return _no("release.only_reported", f"No salió solo: en {names} solo hay reportes, ningún sensor.")
    said = f"Nadie respondió en {waited_s} s y {incident.corroboration} sitios lo confirman"
    return Right(
        Authority(kind=AuthorityKind.SAFE_RELEASE, instrument=row.resolution, at=at),
        (Reason(code="authority.safe_release", text=f"{said}: sale por la resolución {row.resolution}."),),
    )


def _only_reported(town: Municipality, incident: IncidentSnapshot, zones: Sequence[str]) -> set[str]:
    """Return the zones that people brought to the level and no sensor: their word is never a source."""
    people, at_level = set[str](), set[str]()
    for row in incident.evidence:
        if row.source is EvidenceSource.REPORT and row.level > 0 and row.zone is not None:
            people.add(row.zone)
        elif row.source is not EvidenceSource.REPORT and row.level >= incident.level:
            at_level.add(row.rule_id)
    measured = {zone for rule in town.rulebook.level_rules if rule.id in at_level for zone in rule.zones}
    return (people & set(zones)) - measured


def by_renewal_rule(at: datetime) -> Right:
    """Return the authority by which a warning that nobody ended goes on at the same level."""
    said = "Nadie respondió si termina: el aviso sigue al mismo nivel; un aviso no vence en silencio."
    return Right(
        Authority(kind=AuthorityKind.RENEWAL_RULE, at=at),
        (Reason(code="authority.renewal_rule", text=said),),
    )


def _no(code: str, text: str) -> Right:
    return Right(None, (Reason(code=code, text=text),))
