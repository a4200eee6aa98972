"""Act on what a person decided, once, and answer applied, refused or expired, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from schemas.events.base import Reason
from schemas.events.decisions import CoordinatorDecided, DecisionRuled
from schemas.events.warnings import Authority
from schemas.vocabulary import TRIAGE_VERBS, Purpose, Ruling, Verb, WarningState
from services.notify.domain import crews
from services.notify.domain.authority import right_of_operator
from services.notify.domain.render import MixedMessage
from services.notify.domain.warning import Step, may, move
from services.notify.flows import alerting, issuing, questions, withdrawing
from services.notify.outbound import alerts, audit, decisions, incidents, requests, warnings
from services.notify.outbound.incidents import HeldIncident
from services.notify.outbound.requests import Request
from services.notify.work import Work

WAIT: Final = "decision_wait"
WAIT_FOR: Final = timedelta(seconds=60)
REJECTED: Final = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ruling`` is ``None`` while the decision waits: for what it speaks of, or for triage."""

    ruling: Ruling | None
    reasons: tuple[Reason, ...]


async def receive(work: Work, said: CoordinatorDecided, *, publish: bool) -> Verdict:
    """Keep a decision and act on it if it is ours. Again the same decision: the same answer.

    That it is theirs was checked at the door: by the operator's key, or by the code of their phone.
    ``publish``: it came by our own door, so triage and everybody else must hear of it.
    """
    if not await decisions.keep(work.conn, work.municipality, said, work.now):
        return await _held_verdict(work, said.decision_id)
    if publish:
        await work.publish(said, key=work.municipality, identity=(said.decision_id,))
    if said.verb in TRIAGE_VERBS:
        return Verdict(None, ())
    return await _try(work, said)


async def retry_waiting(work: Work, incident_id: str) -> None:
    """Try again what waited for news of this incident."""
    for said in await decisions.waiting(work.conn, work.municipality, incident_id):
        await _try(work, said)


async def give_up(work: Work, decision_id: str) -> None:
    """Tell the person that what they spoke of never appeared."""
    row = await decisions.find(work.conn, work.municipality, decision_id)
    if row is None or row["ruling"] is not None:
        return
    said = CoordinatorDecided.model_validate(row["payload"])
    verdict = await _try(work, said)
    if verdict.ruling is None:
        text = "Nunca se supo del incidente, la versión o la petición de que habla."
        await _rule(work, said, Ruling.EXPIRED, (Reason(code="decision.never_known", text=text),))


async def _held_verdict(work: Work, decision_id: str) -> Verdict:
    row = await decisions.find(work.conn, work.municipality, decision_id)
    if row is None or row["ruling"] is None:
        return Verdict(None, ())
    return Verdict(Ruling(row["ruling"]), tuple(Reason.model_validate(reason) for reason in row["reasons"]))


async def _try(work: Work, said: CoordinatorDecided) -> Verdict:
    right = right_of_operator(said, work.town, work.now)
    if right.authority is None:
        return await _rule(work, said, Ruling.REFUSED, right.reasons)
    held = await incidents.find(work.conn, work.municipality, said.incident_id)
    if held is None or (said.version is not None and said.version > held.snapshot.version):
        return await _wait(work, said)
    work = work.about(exercise_id=held.exercise_id, correlation_id=held.correlation_id)
    try:
        if said.verb in {Verb.APPROVE, Verb.REJECT, Verb.PASS}:
            return await _on_request(work, said, held, right.authority, right.reasons)
        if said.verb in {Verb.RENEW, Verb.CORRECT, Verb.LIFT}:
            return await _on_warning(work, said, held, right.authority, right.reasons)
        if said.verb is Verb.WITHDRAW:
            return await _withdraw(work, said, held, right.reasons)
    except MixedMessage as err:
        mixed = Reason(code="decision.mixed_message", text=f"No sale: {err}.")
        return await _rule(work, said, Ruling.REFUSED, (mixed,))
    text = f"Este servicio no conoce el verbo «{said.verb.value}»."
    return await _rule(work, said, Ruling.REFUSED, (Reason(code="decision.unknown_verb", text=text),))


async def _wait(work: Work, said: CoordinatorDecided) -> Verdict:
    due_at = work.now + WAIT_FOR
    await work.app.timers.set(work.conn, work.municipality, WAIT, said.decision_id, "known", due_at)
    return Verdict(None, ())


async def _on_request(
    work: Work,
    said: CoordinatorDecided,
    held: HeldIncident,
    authority: Authority,
    reasons: Sequence[Reason],
) -> Verdict:
    request = await _request_of(work, said)
    if request is None:
        if said.request_id is not None:
            return await _wait(work, said)
        text = "No hay nada que espere autorización en este incidente."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="request.none", text=text),))
    stale = _stale(said, request, held)
    if stale is not None:
        return await _rule(work, said, Ruling.REFUSED, (stale,))
    unseen = _unseen(said, request)
    if unseen is not None:
        return await _rule(work, said, Ruling.REFUSED, (unseen,))
    if said.verb is Verb.PASS:
        return await _pass(work, said, request)
    if said.verb is Verb.REJECT:
        return await _reject(work, said, request, reasons)
    waits = await _signatures_left(work, said, request)
    if waits is not None:
        return await _rule(work, said, Ruling.APPLIED, (waits,))
    if request.purpose is Purpose.RENEWAL:
        refused = await _renew(work, said, authority, reasons)
    else:
        refused = await issuing.authorise(work, request, authority, reasons, by=said.operator_id)
    return await _ruled(work, said, refused, reasons)


async def _request_of(work: Work, said: CoordinatorDecided) -> Request | None:
    if said.request_id is not None:
        return await requests.find(work.conn, work.municipality, said.request_id)
    for purpose in (Purpose.WARNING, Purpose.RENEWAL):
        found = await requests.pending(work.conn, work.municipality, said.incident_id, purpose)
        if found is not None:
            return found
    return None


def _stale(said: CoordinatorDecided, request: Request, held: HeldIncident) -> Reason | None:
    if request.state == questions.VOIDED:
        text = "Lo que se pidió quedó sin efecto: hay una versión nueva que mirar."
        return Reason(code="request.voided", text=text)
    if not request.is_pending:
        return Reason(code="request.already_decided", text="Esta petición ya fue decidida.")
    if said.version is not None and said.version < request.incident_version:
        newest = held.snapshot.version
        text = f"La versión {said.version} ya no está vigente: mire la {newest} y decida de nuevo."
        return Reason(code="decision.version_gone", text=text)
    return None


def _unseen(said: CoordinatorDecided, request: Request) -> Reason | None:
    """Return why this yes is none: it does not say which words, for whom, the person saw."""
    if said.verb is not Verb.APPROVE:
        return None
    if said.request_id is None or said.content_hash is None:
        text = "Falta decir qué petición se aprueba y la huella de lo que se leyó: mírela y apruebe de nuevo."
        return Reason(code="decision.unseen", text=text)
    if said.content_hash != request.content_hash:
        text = "Lo que se aprobó no es lo que ahora se pide: mírelo y apruebe de nuevo."
        return Reason(code="decision.other_content", text=text)
    return None


async def _signatures_left(work: Work, said: CoordinatorDecided, request: Request) -> Reason | None:
    """Return why one more signature is needed, where the town asks for more than one."""
    needed = work.town.town.approval.signatures
    if needed == 1:
        return None
    signed = {reason.code for reason in request.reasons if reason.code.startswith("signed.")}
    signed.add(f"signed.{said.operator_id}")
    mine = Reason(code=f"signed.{said.operator_id}", text=f"Firmó «{said.operator_id}».")
    await requests.add_reasons(work.conn, work.municipality, request, (mine,))
    if len(signed) >= needed:
        return None
    return Reason(code="request.signatures", text=f"Firma {len(signed)} de {needed}: falta otra persona.")


async def _withdraw(
    work: Work, said: CoordinatorDecided, held: HeldIncident, reasons: Sequence[Reason]
) -> Verdict:
    """Call the crews out. No version refuses this: who is inside comes out whatever else has changed."""
    operator = work.town.operator_of.get(said.operator_id)
    ordered_by = operator.person_id if operator else None
    called = await withdrawing.order(work, held.snapshot, said.decision_id, ordered_by)
    if not called:
        text = "No hay brigadas en el directorio: no se llamó a nadie."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="withdraw.nobody", text=text),))
    names = ", ".join(crews.name_of(work.town, crew) for crew in called)
    why = Reason(code="withdraw.called", text=f"Repliegue enviado: {names}.")
    return await _rule(work, said, Ruling.APPLIED, (why, *reasons))


async def _pass(work: Work, said: CoordinatorDecided, request: Request) -> Verdict:
    row = await alerts.find(work.conn, work.municipality, request.alert_id)
    why = Reason(code="alert.passed", text=f"«{said.operator_id}» pasó: sigue otra persona.")
    if row is None or not await alerting.pass_on(work, row, why):
        text = "No hay más personas a quien pasar: la decisión sigue abierta."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="alert.nobody_left", text=text),))
    return await _rule(work, said, Ruling.APPLIED, (why,))


async def _reject(
    work: Work, said: CoordinatorDecided, request: Request, reasons: Sequence[Reason]
) -> Verdict:
    if request.purpose is Purpose.RENEWAL:
        text = "Anotado. Un aviso no vence en silencio: para terminarlo hay que levantarlo."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="renew.no_is_no_lift", text=text),))
    why = Reason(code="request.rejected", text=f"«{said.operator_id}» no autorizó. {said.reason}".strip())
    closed = await requests.close(
        work.conn,
        work.municipality,
        request.request_id,
        REJECTED,
        by=said.operator_id,
        reasons=(*request.reasons, why),
        at=work.now,
    )
    head = await warnings.find(work.conn, work.municipality, request.warning_id)
    if closed and head is not None and may(head.state, Step.REJECT):
        state = move(head.state, Step.REJECT)
        await warnings.set_state(work.conn, work.municipality, head.warning_id, state, work.now)
    await questions.close(work, request)
    return await _rule(work, said, Ruling.APPLIED, (why, *reasons))


async def _on_warning(
    work: Work,
    said: CoordinatorDecided,
    held: HeldIncident,
    authority: Authority,
    reasons: Sequence[Reason],
) -> Verdict:
    head = await warnings.newest_of(work.conn, work.municipality, said.incident_id)
    if head is None or head.state is not WarningState.AUTHORISED or head.in_force_version is None:
        text = "No hay aviso vigente en este incidente."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="warning.not_in_force", text=text),))
    in_force = await warnings.version_of(work.conn, work.municipality, head.warning_id, head.in_force_version)
    if in_force and said.version is not None and said.version < in_force.incident_version:
        text = f"La versión {said.version} ya no está vigente: mire la {held.snapshot.version}."
        return await _rule(work, said, Ruling.REFUSED, (Reason(code="decision.version_gone", text=text),))
    if said.verb is Verb.LIFT:
        refused = await issuing.lift(work, head, authority, reasons)
    elif said.verb is Verb.CORRECT:
        refused = await issuing.correct(work, head, said.text or {}, authority, reasons)
    else:
        refused = await issuing.renew(work, head, authority, reasons, until=said.until)
    return await _ruled(work, said, refused, reasons)


async def _renew(
    work: Work, said: CoordinatorDecided, authority: Authority, reasons: Sequence[Reason]
) -> tuple[Reason, ...]:
    head = await warnings.newest_of(work.conn, work.municipality, said.incident_id)
    if head is None:
        return (Reason(code="warning.not_in_force", text="No hay aviso vigente que renovar."),)
    return await issuing.renew(work, head, authority, reasons, until=said.until)


async def _ruled(
    work: Work, said: CoordinatorDecided, refused: tuple[Reason, ...], reasons: Sequence[Reason]
) -> Verdict:
    if refused:
        return await _rule(work, said, Ruling.REFUSED, refused)
    return await _rule(work, said, Ruling.APPLIED, tuple(reasons))


async def _rule(work: Work, said: CoordinatorDecided, ruling: Ruling, reasons: tuple[Reason, ...]) -> Verdict:
    """Keep and publish the answer; a refusal is audited."""
    first = await decisions.rule(
        work.conn,
        work.municipality,
        said.decision_id,
        ruling,
        reasons=reasons,
        by="notify",
        at=work.now,
    )
    if not first:
        return await _held_verdict(work, said.decision_id)
    await work.app.timers.cancel(work.conn, work.municipality, WAIT, said.decision_id)
    held = await incidents.find(work.conn, work.municipality, said.incident_id)
    event = DecisionRuled(
        decision_id=said.decision_id,
        incident_id=said.incident_id,
        verb=said.verb,
        ruling=ruling,
        reasons=reasons,
        ruled_at=work.now,
        ruled_by="notify",
        incident_version=held.snapshot.version if held else None,
        operator_id=said.operator_id,
    )
    await work.publish(event, key=work.municipality, identity=(said.decision_id, "notify"))
    if ruling is not Ruling.APPLIED:
        await audit.note(
            work.conn,
            work.municipality,
            actor=said.operator_id,
            action=f"decision.{ruling.value}",
            object_id=said.decision_id,
            detail={"verb": said.verb.value, "reasons": [reason.code for reason in reasons]},
            at=work.now,
        )
    return Verdict(ruling, reasons)
