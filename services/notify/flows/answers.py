"""Apply one word of one person to what their code stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.events.base import Reason
from schemas.events.decisions import CoordinatorDecided
from schemas.vocabulary import Channel, Purpose, Ruling, Verb, Via
from services.notify.domain import crews, names
from services.notify.domain.authority import operator_of_person
from services.notify.domain.crew_words import Statement, Word
from services.notify.domain.replies import Say
from services.notify.flows import alerting, crew_messages, crew_says, deciding, questions, tasking
from services.notify.flows.outcome import Outcome
from services.notify.outbound import alerts, audit, messages, requests, tasks, warnings
from services.notify.outbound.alerts import Alert
from services.notify.outbound.codes import Code
from services.notify.work import Work

_VIA: Final = {Channel.SMS: Via.SMS, Channel.VOICE: Via.CALL, Channel.LINK: Via.LINK}
_VERBS: Final = {Say.APPROVE: Verb.APPROVE, Say.REJECT: Verb.REJECT, Say.PASS: Verb.PASS}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a code or a call is about: an alert, with the request or the task behind it."""

    alert: Alert
    request_id: str | None = None
    task_id: str | None = None

    @staticmethod
    async def of_alert(work: Work, row: Alert) -> Subject:
        task = None
        if row.purpose in {Purpose.TASK, Purpose.WITHDRAW}:
            task = await tasking.of_alert(work, row)
        return Subject(row, request_id=row.request_id, task_id=task.task_id if task else None)

    @staticmethod
    async def of_code(work: Work, code: Code) -> Subject | None:
        """Find it; ``None`` when it is gone."""
        alert_id: str | None = code.subject_id
        if code.subject_kind == "request":
            request = await requests.find(work.conn, work.municipality, code.subject_id)
            alert_id = request.alert_id if request else None
        elif code.subject_kind == tasking.TASK:
            alert_id = await _alert_of_task(work, code)
        row = await alerts.find(work.conn, work.municipality, alert_id) if alert_id else None
        if row is None:
            return None
        task_id = code.subject_id if code.subject_kind == tasking.TASK else None
        return Subject(row, request_id=row.request_id, task_id=task_id)


async def _alert_of_task(work: Work, code: Code) -> str | None:
    held = await tasks.find(work.conn, work.municipality, code.subject_id)
    if held is None:
        return None
    asked = (held.assignee_id, *held.tried)
    mine = (crew for crew in asked if crews.speaks_for(work.town, code.person_id, crew))
    return crew_messages.alert_of(work, held, next(mine, held.assignee_id))


async def apply(
    work: Work,
    subject: Subject,
    person_id: str,
    say: Say,
    *,
    channel: Channel,
    reply_id: str,
    code: str = "",
) -> Outcome:
    """Do what the person says, and mark the messages that asked them as answered."""
    row = subject.alert
    work = work.about(exercise_id=row.exercise_id, correlation_id=work.correlation_id)
    asked = await messages.of_person(work.conn, work.municipality, row.alert_id, person_id)
    await messages.answered(work.app.deliveries, work.conn, work.municipality, asked, work.now)
    if say is Say.ACKNOWLEDGE or (subject.request_id is None and say is Say.APPROVE):
        return await _acknowledge(work, subject, person_id, channel, reply_id)
    if subject.task_id is not None:
        return await crew_says.say(work, subject.task_id, person_id, Statement(Word.DECLINE))
    if subject.request_id is None:
        return await _pass_page(work, row, person_id)
    return await _decide(work, subject, person_id, say, channel=channel, reply_id=reply_id, code=code)


async def _acknowledge(
    work: Work, subject: Subject, person_id: str, channel: Channel, reply_id: str
) -> Outcome:
    row = subject.alert
    await alerting.acknowledge(work, row, person_id, channel, reply_id)
    if subject.task_id is not None:
        return await crew_says.accept(work, subject.task_id, person_id)
    await questions.on_acknowledged(work, row, person_id)
    return Outcome("acknowledged", subject=row.alert_id, incident_id=row.incident_id)


async def _pass_page(work: Work, row: Alert, person_id: str) -> Outcome:
    why = Reason(code="alert.passed", text=f"«{person_id}» pasó: sigue otra persona.")
    if await alerting.pass_on(work, row, why):
        return Outcome("passed", "reply.passed", subject=row.alert_id, incident_id=row.incident_id)
    gone = Reason(code="alert.nobody_left", text="no queda otra persona, o ya respondió alguien.")
    parts = {"reason": gone.text}
    return Outcome("not_passed", "reply.refused", parts, row.alert_id, row.incident_id)


async def _decide(
    work: Work,
    subject: Subject,
    person_id: str,
    say: Say,
    *,
    channel: Channel,
    reply_id: str,
    code: str,
) -> Outcome:
    row = subject.alert
    operator = operator_of_person(work.town, person_id, work.now)
    if operator is None:
        if say is Say.PASS:
            return await _pass_page(work, row, person_id)
        return await _no_office(work, row, person_id)
    said = CoordinatorDecided(
        decision_id=names.derived("decision", work.municipality, reply_id, subject.request_id),
        incident_id=row.incident_id,
        verb=_VERBS[say],
        operator_id=operator.id,
        decided_at=work.now,
        via=_VIA[channel],
        request_id=subject.request_id,
        content_hash=await _asked_hash(work, subject),
    )
    verdict = await deciding.receive(work, said, publish=True)
    text, parts = await _reply_to(work, subject, say, verdict, code)
    name = f"{say.value}_{verdict.ruling.value if verdict.ruling else 'waits'}"
    return Outcome(name, text, parts, said.decision_id, row.incident_id)


async def _asked_hash(work: Work, subject: Subject) -> str | None:
    """Return the hash of the words that the question was written from."""
    row = subject.alert
    if row.warning_id is None or row.warning_version is None:
        return None
    asked = await warnings.version_of(work.conn, work.municipality, row.warning_id, row.warning_version)
    return asked.content_hash if asked else None


async def _no_office(work: Work, row: Alert, person_id: str) -> Outcome:
    """Refuse who holds no office; their id is never taken for an operator's of the same name."""
    await audit.note(
        work.conn,
        work.municipality,
        actor=person_id,
        action="decision.no_office",
        object_id=row.alert_id,
        detail={"incident_id": row.incident_id},
        at=work.now,
    )
    reason = "usted no tiene un cargo que decida sobre avisos. Escriba PASO y su código."
    return Outcome("no_office", "reply.refused", {"reason": reason}, row.alert_id, row.incident_id)


async def _reply_to(
    work: Work, subject: Subject, say: Say, verdict: deciding.Verdict, code: str
) -> tuple[str | None, dict[str, object]]:
    if verdict.ruling is not Ruling.APPLIED:
        reason = verdict.reasons[0] if verdict.reasons else None
        if reason is not None and reason.code == "alert.nobody_left" and code:
            return "reply.nobody_left", {"code": code}
        if reason is not None and reason.code == "renew.no_is_no_lift":
            return "reply.rejected_renewal", {}
        return "reply.refused", {"reason": reason.text if reason else "espere"}
    if say is Say.PASS:
        return "reply.passed", {}
    if say is Say.REJECT:
        return "reply.rejected", {}
    request = await requests.find(work.conn, work.municipality, subject.request_id or "")
    if request is not None and request.purpose is Purpose.RENEWAL:
        return "reply.renewed", {}
    asked = request and await warnings.version_of(
        work.conn, work.municipality, request.warning_id, request.version
    )
    return "reply.approved", {"phones": asked.audience.phones if asked else "?"}


async def said_of_task(
    work: Work, subject: Subject, person_id: str, said: Statement, *, channel: Channel, reply_id: str
) -> Outcome:
    """Do what a crew says of its task, and mark the messages that asked as answered."""
    row = subject.alert
    work = work.about(exercise_id=row.exercise_id, correlation_id=work.correlation_id)
    asked = await messages.of_person(work.conn, work.municipality, row.alert_id, person_id)
    await messages.answered(work.app.deliveries, work.conn, work.municipality, asked, work.now)
    await alerting.acknowledge(work, row, person_id, channel, reply_id)
    return await crew_says.say(work, subject.task_id or "", person_id, said)


async def withdraw(
    work: Work, person_id: str, incident_id: str, *, channel: Channel, reply_id: str
) -> Outcome:
    """Order the crews of an incident out, in the name of who wrote."""
    operator = operator_of_person(work.town, person_id, work.now)
    if operator is None:
        reason = "usted no tiene un cargo que ordene el repliegue."
        return Outcome("no_office", "reply.refused", {"reason": reason}, incident_id=incident_id)
    said = CoordinatorDecided(
        decision_id=names.derived("decision", work.municipality, reply_id, "withdraw", incident_id),
        incident_id=incident_id,
        verb=Verb.WITHDRAW,
        operator_id=operator.id,
        decided_at=work.now,
        via=_VIA[channel],
    )
    verdict = await deciding.receive(work, said, publish=True)
    reason = verdict.reasons[0].text if verdict.reasons else "espere"
    if verdict.ruling is not Ruling.APPLIED:
        return Outcome("withdraw_refused", "reply.refused", {"reason": reason}, said.decision_id, incident_id)
    return Outcome("withdraw_applied", "reply.withdrawn", {"called": reason}, said.decision_id, incident_id)
