"""What is done with an answer, whatever door it came by: recorded first, then understood, then acted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, Purpose
from services.notify.domain import crew_words, names
from services.notify.domain.crew_words import Statement, Word
from services.notify.domain.replies import Answer, Reading, Say, Wish, read
from services.notify.flows import answers, open_questions, sayings
from services.notify.flows.outcome import Outcome
from services.notify.flows.wrong_codes import count_wrong
from services.notify.outbound import alerts, codes, incidents, messages, recipients, replies
from services.notify.outbound.recipients import PERSON, Known
from services.notify.tables import alert
from services.notify.work import Work

if TYPE_CHECKING:
    from services.notify.app import App

_PRESSED: Final = {"1": Say.ACKNOWLEDGE, "2": Say.PASS}
_LINKED: Final = {"ok": Say.ACKNOWLEDGE, "pass": Say.PASS}
_CODE_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of one phone; ``reply_id`` is the same for a repeat of the same message."""

    reply_id: str
    known: Known
    channel: Channel


async def on_reply(
    app: App,
    conn: AsyncConnection,
    *,
    municipality: str,
    recipient_id: str,
    text: str,
    received_at: datetime,
    provider_id: str,
) -> None:
    """Record an inbound SMS and do what it asks; once per ``provider_id``, in the transaction of ``conn``.

    Args:
        app: The service.
        conn: An open write transaction.
        municipality: The town that the door resolved: by the number written to, else by the code.
        recipient_id: Who wrote, known by the number.
        text: The words as the phone sent them.
        received_at: When the door stored the request.
        provider_id: The carrier's id of the message; a repeat does nothing.
    """
    work = app.work(conn, municipality)
    said = await _keep(work, recipient_id, Channel.SMS, text, received_at, provider_id)
    if said is None:
        return
    reading = read(text)
    if said.known.kind == PERSON:
        await _lock(work, recipient_id)
        outcome = await _from_duty(work, said, reading, crew_words.read(text))
    else:
        outcome = await _from_resident(work, said, reading)
    await _settle(work, said, [outcome] if isinstance(outcome, Outcome) else outcome)


async def on_keypress(
    app: App,
    conn: AsyncConnection,
    *,
    municipality: str,
    message_id: str,
    digits: str,
    received_at: datetime,
    provider_id: str,
) -> None:
    """Record the digits pressed in the call ``message_id``; once per ``provider_id``.

    In a call that orders crews out the digits are how many came out. Else ``1`` acknowledges, ``2`` passes
    to the next person, four digits are the person's code: they approve where the call asked for authority,
    else acknowledge. Anything else is recorded and does nothing.
    """
    work = app.work(conn, municipality)
    call = await messages.find(conn, municipality, message_id)
    if call is None:
        return
    said = await _keep(work, call.recipient_id, Channel.VOICE, digits, received_at, provider_id)
    if said is None:
        return
    await _lock(work, call.recipient_id, call.incident_id)
    await messages.answered(work.app.deliveries, conn, municipality, [message_id], work.now)
    if said.known.kind != PERSON:
        await _settle(work, said, [Outcome("heard" if digits == "1" else "pressed_other")])
        return
    await _settle(work, said, [await _pressed(work, said, call, digits)])


async def on_link(
    app: App,
    conn: AsyncConnection,
    *,
    municipality: str,
    person_id: str,
    alert_id: str,
    act: str,
    received_at: datetime,
    provider_id: str,
) -> None:
    """Record an answer by link and do what it says: ``ok`` acknowledges, ``pass`` passes on; once."""
    work = app.work(conn, municipality)
    said = await _keep(work, person_id, Channel.LINK, act, received_at, provider_id)
    if said is None or said.known.kind != PERSON:
        return
    incident_id = await incidents.of(conn, municipality, alert.c.alert_id, alert_id)
    await _lock(work, person_id, incident_id)
    row = await alerts.find(work.conn, municipality, alert_id)
    if row is None or act not in _LINKED:
        await _settle(work, said, [Outcome("gone")])
        return
    subject = await answers.Subject.of_alert(work, row)
    outcome = await answers.apply(
        work, subject, person_id, _LINKED[act], channel=said.channel, reply_id=said.reply_id
    )
    await _settle(work, said, [outcome])


async def _pressed(work: Work, said: Said, call: messages.Found, digits: str) -> Outcome:
    person_id = said.known.recipient_id
    if len(digits) == _CODE_DIGITS and digits.isdecimal():
        say = Say.APPROVE if call.purpose is Purpose.AUTHORITY else Say.ACKNOWLEDGE
        return await _answer(work, said, Answer(say, digits))
    row = await alerts.find(work.conn, work.municipality, call.alert_id)
    counts_heads = row is not None and row.purpose is Purpose.WITHDRAW and digits.isdecimal()
    if row is None or not (counts_heads or digits in _PRESSED):
        return Outcome("pressed_other")
    subject = await answers.Subject.of_alert(work, row)
    if row.purpose is Purpose.WITHDRAW:
        return await _heads(work, said, subject, int(digits))
    return await answers.apply(
        work, subject, person_id, _PRESSED[digits], channel=said.channel, reply_id=said.reply_id
    )


async def _heads(work: Work, said: Said, subject: answers.Subject, people: int) -> Outcome:
    """Take how many came out, as it was pressed in the call that ordered it."""
    statement = Statement(Word.OUT, people=people)
    outcome = await answers.said_of_task(
        work,
        subject,
        said.known.recipient_id,
        statement,
        channel=said.channel,
        reply_id=said.reply_id,
    )
    return replace(outcome, text=None)


async def _from_duty(
    work: Work, said: Said, reading: Reading, statements: Sequence[Statement]
) -> Outcome | list[Outcome]:
    person_id = said.known.recipient_id
    if reading.wish is Wish.VERIFY and reading.verify_code:
        return await sayings.verified(work, reading.verify_code, said.known.language)
    if reading.wish in {Wish.OPT_OUT, Wish.OPT_OUT_PERHAPS}:
        return Outcome("staff_opt_out", "reply.staff_opt_out")
    if await codes.is_locked(work.conn, work.municipality, person_id, work.now):
        return Outcome("locked", "reply.locked")
    if statements:
        return [await _crew(work, said, statement) for statement in statements]
    if reading.answers:
        return [await _answer(work, said, answer) for answer in reading.answers]
    if reading.bare is not None:
        return await _bare(work, said, reading.bare)
    if reading.without_code:
        return Outcome("without_code", "reply.without_code")
    return Outcome("unknown", "reply.unknown_person")


async def _answer(work: Work, said: Said, answer: Answer) -> Outcome:
    """Act on one word with its code; a code that is not theirs counts as a guess."""
    person_id = said.known.recipient_id
    code = await codes.match(work.conn, work.municipality, person_id, answer.code, work.now)
    if code is None:
        return await _wrong(work, person_id)
    subject = await answers.Subject.of_code(work, code)
    if subject is None:
        return Outcome("gone")
    return await answers.apply(
        work,
        subject,
        person_id,
        answer.say,
        channel=said.channel,
        reply_id=said.reply_id,
        code=answer.code,
    )


async def _bare(work: Work, said: Said, say: Say) -> Outcome:
    """Act on a word without its code, where it can only be about one thing."""
    person_id = said.known.recipient_id
    code = await open_questions.only_one(work, person_id, say)
    if code is None:
        some = await open_questions.any_open(work, person_id)
        return (
            Outcome("which_question", "reply.which_question")
            if some
            else Outcome("without_code", "reply.without_code")
        )
    return await _answer(work, said, Answer(say, code))


async def _crew(work: Work, said: Said, statement: Statement) -> Outcome:
    """Act on one statement of a crew, or of whoever orders it out."""
    person_id = said.known.recipient_id
    if statement.code is not None:
        code = await codes.match(work.conn, work.municipality, person_id, statement.code, work.now)
        if code is None:
            return await _wrong(work, person_id)
    else:
        found = await open_questions.task_meant(work, person_id, statement.word)
        if isinstance(found, Outcome):
            return found
        code = found
    if statement.word is Word.WITHDRAW:
        return await answers.withdraw(
            work, person_id, code.incident_id, channel=said.channel, reply_id=said.reply_id
        )
    subject = await answers.Subject.of_code(work, code)
    if subject is None:
        return Outcome("gone")
    if subject.task_id is not None:
        return await answers.said_of_task(
            work, subject, person_id, statement, channel=said.channel, reply_id=said.reply_id
        )
    return await _crew_word_for_a_page(work, said, subject, statement)


async def _crew_word_for_a_page(
    work: Work, said: Said, subject: answers.Subject, statement: Statement
) -> Outcome:
    """``NO PUEDO`` passes any question on; ``VOY`` has read a page, but never says yes to a warning."""
    if statement.word is Word.DECLINE:
        say = Say.PASS
    elif subject.request_id is None:
        say = Say.ACKNOWLEDGE
    else:
        return Outcome("unknown", "reply.unknown_person")
    who = said.known.recipient_id
    return await answers.apply(
        work, subject, who, say, channel=said.channel, reply_id=said.reply_id, code=statement.code or ""
    )


async def _wrong(work: Work, person_id: str) -> Outcome:
    locked = await count_wrong(work, person_id)
    return Outcome("locked", "reply.locked") if locked else Outcome("wrong_code", "reply.wrong_code")


async def _from_resident(work: Work, said: Said, reading: Reading) -> Outcome:
    who = said.known.recipient_id
    if reading.wish is Wish.VERIFY and reading.verify_code:
        return await sayings.verified(work, reading.verify_code, said.known.language)
    if reading.wish is Wish.OPT_OUT:
        await recipients.opt_out(work.conn, work.municipality, who, work.now)
        return Outcome("opted_out", "reply.opted_out")
    if reading.wish is Wish.OPT_OUT_PERHAPS:
        return Outcome(sayings.ASKED, "reply.ask_opt_out")
    if reading.wish in {Wish.CHOICE_1, Wish.CHOICE_2} and await sayings.was_asked(work, who, said.reply_id):
        if reading.wish is Wish.CHOICE_1:
            return Outcome("spoke_of_river", "reply.thanks")
        await recipients.opt_out(work.conn, work.municipality, who, work.now)
        return Outcome("opted_out", "reply.opted_out")
    return Outcome("unknown", "reply.unknown_resident")


async def _keep(
    work: Work, recipient_id: str, channel: Channel, text: str, received_at: datetime, provider_id: str
) -> Said | None:
    """Record the answer; ``None`` for a repeat, or a recipient whom this town does not know."""
    known = await recipients.find(work.conn, work.municipality, recipient_id)
    if known is None:
        return None
    reply_id = names.derived("reply", work.municipality, provider_id)
    new = await replies.keep(
        work.conn,
        work.municipality,
        reply_id,
        provider_id=provider_id,
        recipient_id=recipient_id,
        channel=channel,
        text=text,
        received_at=received_at,
        cipher=work.app.cipher,
    )
    return Said(reply_id, known, channel) if new else None


async def _lock(work: Work, person_id: str, incident_id: str | None = None) -> None:
    """Lock what this answer can be about before anything of it, as handlers and timers do."""
    asked = await codes.incidents_of(work.conn, work.municipality, person_id, work.now)
    await incidents.lock(work.conn, work.municipality, asked | ({incident_id} if incident_id else set()))


async def _settle(work: Work, said: Said, outcomes: list[Outcome]) -> None:
    """Note what was made of it, and answer at most once."""
    await sayings.answer(work, said.reply_id, said.known, outcomes)
    await replies.settle(
        work.conn,
        work.municipality,
        said.reply_id,
        "+".join(dict.fromkeys(outcome.name for outcome in outcomes))[:64] or "nothing",
        {"subjects": [outcome.subject for outcome in outcomes if outcome.subject]},
    )
