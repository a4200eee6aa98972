"""Put a warning in force, renew, correct and lift it. Each is one new version, signed when published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import (
    Audience,
    Authority,
    WarningAuthorised,
    WarningCorrected,
    WarningLifted,
    WarningRenewed,
    WarningRequested,
    WarningSnapshot,
    ZoneText,
)
from schemas.municipality.duty import WarningPlan
from schemas.vocabulary import MessageState, Purpose, WarningState
from services.notify.domain.audience import digest
from services.notify.domain.authority import Bound
from services.notify.domain.lint import lint_free, refused
from services.notify.domain.plan import protocol_for
from services.notify.domain.render import Words, finished, zone_texts
from services.notify.domain.segments import segments_of
from services.notify.domain.warning import (
    NotAllowed,
    Step,
    end_of_validity,
    material_change,
    may,
    move,
    renewal,
)
from services.notify.flows import broadcasting, questions
from services.notify.outbound import broadcasts, incidents, recipients, requests, warnings
from services.notify.outbound.broadcasts import Source
from services.notify.outbound.requests import Request
from services.notify.outbound.warnings import WarningRow
from services.notify.tables import delivery
from services.notify.work import Work

RENEW_ASK = "renew_ask"
RENEW_APPLY = "renew_apply"
APPROVED = "approved"

Refusal = tuple[Reason, ...]


async def authorise(
    work: Work, request: Request, authority: Authority, reasons: Sequence[Reason], *, by: str | None
) -> Refusal:
    """Put the requested words in force and send them; return why not, or nothing when it was done.

    What was asked and what would be sent must be the same byte for byte, to exactly the same people.
    """
    asked = await warnings.version_of(work.conn, work.municipality, request.warning_id, request.version)
    head = await warnings.find(work.conn, work.municipality, request.warning_id)
    held = await incidents.find(work.conn, work.municipality, request.incident_id)
    if asked is None or head is None or held is None:
        return (Reason(code="request.unknown", text="No se encuentra lo que se pidió autorizar."),)
    why = await _no_longer_fits(work, request, asked, held.snapshot)
    if why is None and not may(head.state, Step.AUTHORISE):
        why = NotAllowed(head.state, Step.AUTHORISE).reason
    if why is not None:
        await questions.void(work, request, why)
        await questions.ask_again(work, request.incident_id)
        return (why,)
    closed = await requests.close(
        work.conn,
        work.municipality,
        request.request_id,
        APPROVED,
        by=by or authority.instrument,
        reasons=(*request.reasons, *reasons),
        at=work.now,
    )
    if not closed:
        return (Reason(code="request.already_decided", text="Esta petición ya fue decidida."),)
    event = WarningAuthorised.model_validate(
        asked.model_dump()
        | {
            "version": head.version + 1,
            "state": WarningState.AUTHORISED,
            "authority": authority.model_dump(),
            "reasons": [reason.model_dump() for reason in (*asked.reasons, *reasons)],
            "ledger": _steps(asked, authorised_at=work.now),
        }
    )
    await questions.close(work, request)
    await _forget_renewal(work, head)
    await _withdraw_planned(work, event.warning_id)
    await _put_in_force(work, head, event, Step.AUTHORISE)
    await _watch_end(work, held.snapshot, event)
    await broadcasting.start(work, event, Purpose.WARNING, Source.ZONE)
    return ()


async def renew(
    work: Work,
    head: WarningRow,
    authority: Authority,
    reasons: Sequence[Reason],
    *,
    until: datetime | None = None,
) -> Refusal:
    """Go on at the same level until later, and tell everybody who is concerned."""
    in_force, held, rule = await _in_force(work, head)
    if in_force is None or held is None or rule is None:
        return (Reason(code="warning.not_in_force", text="No hay aviso vigente que renovar."),)
    ends_at = until or end_after(in_force, rule, work.now)
    if ends_at <= work.now:
        return (Reason(code="renew.past", text="La nueva hora de fin ya pasó."),)
    request = await requests.pending(work.conn, work.municipality, head.incident_id, Purpose.RENEWAL)
    asked = request and until is None and await _asked_words(work, request)
    if request is not None and until is None and asked is None and authority.operator_id is not None:
        return await _ask_renewal_again(work, request)
    if asked:
        ends_at = asked.valid_until
    snapshot = await renewed(work, head, in_force, held, ends_at, words=asked.texts if asked else None)
    if request is not None:
        await requests.close(
            work.conn,
            work.municipality,
            request.request_id,
            APPROVED,
            by=authority.operator_id or authority.kind.value,
            reasons=(*request.reasons, *reasons),
            at=work.now,
        )
        await questions.close(work, request)
    requested_at = request.opened_at if request else work.now
    event = WarningRenewed.model_validate(
        snapshot.model_dump()
        | {
            "state": WarningState.AUTHORISED,
            "authority": authority.model_dump(),
            "reasons": [reason.model_dump() for reason in reasons],
            "ledger": _steps(snapshot, requested_at=requested_at, authorised_at=work.now),
        }
    )
    await _withdraw_planned(work, head.warning_id)
    await _put_in_force(work, head, event, Step.RENEW)
    await _watch_end(work, held, event)
    source = Source.TOLD if _was_corrected(in_force) else Source.ZONE
    await broadcasting.start(work, event, Purpose.RENEWAL, source)
    return ()


def end_after(in_force: WarningSnapshot, rule: WarningPlan, now: datetime) -> datetime:
    """Return until when a warning goes on; one whose renewal comes after its end starts from now."""
    if in_force.valid_until > now:
        return in_force.valid_until + rule.valid_for
    return end_of_validity(now, rule.valid_for)


async def renewed(
    work: Work,
    head: WarningRow,
    in_force: WarningSnapshot,
    incident: IncidentSnapshot,
    ends_at: datetime,
    *,
    words: tuple[ZoneText, ...] | None = None,
) -> WarningSnapshot:
    """Return the next version with its end moved.

    Its words are those that were asked for (``words``), else freshly written ones; a corrected warning
    goes on in the correction's own words, never in those that were wrong.
    """
    if _was_corrected(in_force):
        texts = in_force.texts
        members = await broadcasts.told_of(work.conn, work.municipality, head.warning_id)
        audience = Audience(digest=digest(members), phones=len(members))
    else:
        texts = words or _renewal_texts(work, head, in_force, incident, ends_at)
        group = await recipients.group_of(work.conn, work.municipality, in_force.zones)
        inhabitants = in_force.audience.inhabitants
        audience = Audience(digest=group.digest, phones=group.phones, inhabitants=inhabitants)
    purpose = Purpose.CORRECTION if _was_corrected(in_force) else Purpose.RENEWAL
    return _next(work, head, in_force, texts, audience, purpose, ends_at)


def _renewal_texts(
    work: Work, head: WarningRow, in_force: WarningSnapshot, incident: IncidentSnapshot, ends_at: datetime
) -> tuple[ZoneText, ...]:
    rule = protocol_for(incident, work.town).warning
    words = Words(
        kind="renewal",
        template=rule.template if rule else "",
        level=in_force.level,
        valid_until=ends_at,
        now=work.now,
        verify_code=in_force.verify_code,
        exercise_id=head.exercise_id,
    )
    return zone_texts(words, work.town, incident, in_force.zones, work.catalogues)


async def _asked_words(work: Work, request: Request) -> WarningSnapshot | None:
    """Return what was asked, if it still is so byte for byte and names an end that is to come."""
    asked = await warnings.version_of(work.conn, work.municipality, request.warning_id, request.version)
    if asked is None or asked.valid_until <= work.now:
        return None
    bound = Bound(asked.incident_id, asked.incident_version, asked.zones, asked.texts, asked.audience.digest)
    return asked if bound.content_hash == request.content_hash else None


async def _ask_renewal_again(work: Work, request: Request) -> Refusal:
    """A yes is to the words that were asked about: other words are another question."""
    text = "Lo pedido ya no es byte por byte lo que saldría, o ya venció: se pregunta de nuevo."
    why = Reason(code="request.content_changed", text=text)
    await questions.void(work, request, why)
    timers = work.app.timers
    await timers.set(work.conn, work.municipality, RENEW_ASK, request.warning_id, "end", work.now)
    return (why,)


async def correct(
    work: Work, head: WarningRow, said: Mapping[str, str], authority: Authority, reasons: Sequence[Reason]
) -> Refusal:
    """Withdraw what has not left and send these words, as they are, to everybody who was told."""
    in_force, _, _ = await _in_force(work, head)
    if in_force is None:
        return (Reason(code="warning.not_in_force", text="No hay aviso vigente que corregir."),)
    texts: list[ZoneText] = []
    for zone in in_force.zones:
        text = said.get(zone) or said.get("*")
        if not text:
            return (Reason(code="correct.no_text", text=f"Falta el texto para la zona «{zone}»."),)
        for language in work.town.town.languages:
            words = finished(text, head.exercise_id, work.catalogues[language])
            texts.append(ZoneText(zone=zone, language=language, text=words, segments=segments_of(words)))
    if stops := refused(lint_free(texts, work.town)):
        return stops
    await _forget_renewal(work, head)
    await _withdraw_planned(work, head.warning_id)
    await _tell_the_told(
        work, head, in_force, tuple(texts), authority, reasons, WarningCorrected, Step.CORRECT
    )
    return ()


async def lift(work: Work, head: WarningRow, authority: Authority, reasons: Sequence[Reason]) -> Refusal:
    """End the warning by a person's decision and tell everybody who was ever told."""
    in_force, held, rule = await _in_force(work, head)
    if in_force is None or held is None or rule is None:
        return (Reason(code="warning.not_in_force", text="No hay aviso vigente que levantar."),)
    words = Words(
        kind="lift",
        template=rule.template,
        level=in_force.level,
        valid_until=in_force.valid_until,
        now=work.now,
        verify_code=in_force.verify_code,
        exercise_id=head.exercise_id,
    )
    texts = zone_texts(words, work.town, held, in_force.zones, work.catalogues)
    await _withdraw_planned(work, head.warning_id)
    for purpose in (Purpose.RENEWAL, Purpose.WARNING):
        request = await requests.pending(work.conn, work.municipality, head.incident_id, purpose)
        if request is not None:
            why = Reason(code="warning.lifted", text="El aviso terminó: lo pedido queda sin efecto.")
            await questions.void(work, request, why)
    for kind in (RENEW_ASK, RENEW_APPLY):
        await work.app.timers.cancel(work.conn, work.municipality, kind, head.warning_id)
    await _tell_the_told(work, head, in_force, texts, authority, reasons, WarningLifted, Step.LIFT)
    return ()


async def _tell_the_told(
    work: Work,
    head: WarningRow,
    in_force: WarningSnapshot,
    texts: tuple[ZoneText, ...],
    authority: Authority,
    reasons: Sequence[Reason],
    kind: type[WarningCorrected | WarningLifted],
    step: Step,
) -> None:
    purpose = Purpose.LIFT if step is Step.LIFT else Purpose.CORRECTION
    members = await broadcasts.told_of(work.conn, work.municipality, head.warning_id)
    audience = Audience(digest=digest(members), phones=len(members))
    snapshot = _next(work, head, in_force, texts, audience, purpose, in_force.valid_until)
    event = kind.model_validate(
        snapshot.model_dump()
        | {
            "state": move(head.state, step),
            "authority": authority.model_dump(),
            "reasons": [reason.model_dump() for reason in reasons],
            "ledger": _steps(snapshot, authorised_at=work.now),
        }
    )
    await _put_in_force(work, head, event, step)
    await broadcasting.start(work, event, purpose, Source.TOLD)


def _next(
    work: Work,
    head: WarningRow,
    in_force: WarningSnapshot,
    texts: tuple[ZoneText, ...],
    audience: Audience,
    purpose: Purpose,
    ends_at: datetime,
) -> WarningSnapshot:
    bound = Bound(in_force.incident_id, in_force.incident_version, in_force.zones, texts, audience.digest)
    return WarningRequested.model_validate(
        in_force.model_dump()
        | {
            "version": head.version + 1,
            "state": WarningState.REQUESTED,
            "purpose": purpose,
            "texts": [words.model_dump() for words in texts],
            "audience": audience.model_dump(),
            "content_hash": bound.content_hash,
            "valid_until": ends_at,
            "authority": None,
            "reasons": (),
            "ledger": _steps(in_force, requested_at=work.now, authorised_at=None),
        }
    )


def _steps(snapshot: WarningSnapshot, **reached: datetime | None) -> dict[str, datetime | None]:
    """Return the ledger of a version: each has steps of its own from its request on."""
    steps: dict[str, datetime | None] = snapshot.ledger.model_copy(update=reached).model_dump()
    return steps


async def _no_longer_fits(
    work: Work, request: Request, asked: WarningSnapshot, incident: IncidentSnapshot
) -> Reason | None:
    """Return why the approved words may not leave as they are."""
    changed = material_change(asked.level, asked.zones, incident)
    if changed is not None:
        return changed
    if asked.valid_until <= work.now:
        return Reason(code="request.too_old", text="El texto pedido ya venció: se pide de nuevo.")
    group = await recipients.group_of(work.conn, work.municipality, asked.zones)
    bound = Bound(asked.incident_id, asked.incident_version, asked.zones, asked.texts, group.digest)
    if bound.content_hash != request.content_hash:
        text = "Lo pedido ya no es byte por byte lo que saldría (texto o destinatarios): se pide de nuevo."
        return Reason(code="request.content_changed", text=text)
    return None


async def _in_force(
    work: Work, head: WarningRow
) -> tuple[WarningSnapshot | None, IncidentSnapshot | None, WarningPlan | None]:
    if head.state is not WarningState.AUTHORISED or head.in_force_version is None:
        return None, None, None
    snapshot = await warnings.version_of(work.conn, work.municipality, head.warning_id, head.in_force_version)
    held = await incidents.find(work.conn, work.municipality, head.incident_id)
    if held is None:
        return snapshot, None, None
    return snapshot, held.snapshot, protocol_for(held.snapshot, work.town).warning


async def _put_in_force(work: Work, head: WarningRow, event: WarningSnapshot, step: Step) -> None:
    await warnings.keep(
        work.conn,
        work.municipality,
        event,
        event_type=event.TYPE,
        number=head.number,
        state=move(head.state, step),
        in_force_version=event.version,
        exercise_id=head.exercise_id,
        at=work.now,
    )
    await work.publish(event, key=event.incident_id, identity=(event.warning_id, event.version))


async def _watch_end(work: Work, incident: IncidentSnapshot, event: WarningSnapshot) -> None:
    rule = protocol_for(incident, work.town).warning
    if rule is None:
        return
    times = renewal(event.valid_until, rule)
    timers = work.app.timers
    await timers.set(
        work.conn, work.municipality, RENEW_ASK, event.warning_id, "end", max(times.ask_at, work.now)
    )
    await timers.set(
        work.conn, work.municipality, RENEW_APPLY, event.warning_id, "end", max(times.apply_at, work.now)
    )


async def _forget_renewal(work: Work, head: WarningRow) -> None:
    """Void a question of renewal about older words: a late yes must not bring them back."""
    request = await requests.pending(work.conn, work.municipality, head.incident_id, Purpose.RENEWAL)
    if request is not None:
        text = "El aviso cambió: la pregunta de renovarlo queda sin efecto."
        await questions.void(work, request, Reason(code="renewal.outdated", text=text))


async def _withdraw_planned(work: Work, warning_id: str) -> None:
    """Take back older words that have not left; their expansion stops too."""
    ids = await broadcasts.alerts_of(work.conn, work.municipality, warning_id)
    await broadcasts.stop(work.conn, work.municipality, ids, work.now)
    to_residents = (Purpose.WARNING, Purpose.RENEWAL, Purpose.CORRECTION)
    await work.app.deliveries.take_back(
        work.conn,
        work.municipality,
        MessageState.WITHDRAWN,
        delivery.c.warning_id == warning_id,
        delivery.c.purpose.in_([purpose.value for purpose in to_residents]),
    )


def _was_corrected(in_force: WarningSnapshot) -> bool:
    return in_force.purpose is Purpose.CORRECTION
