"""Signed posts to whoever uses this carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, urldefrag

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # ships no types

from tests.support.fake_twilio.agenda import Agenda
from tests.support.fake_twilio.clock import Clock, HandClock
from tests.support.fake_twilio.faults import Faults
from tests.support.fake_twilio.ledger import Ledger
from tests.support.fake_twilio.posting import Answer, Poster, Unreachable
from tests.support.fake_twilio.settings import CarrierSettings

HEADER = "X-Twilio-Signature"
RETRY_PAUSE_S = 0.3


class Webhooks:
    """``report`` tells a status as a carrier does, with faults; ``insist`` is a person who tries again."""

    def __init__(
        self,
        settings: CarrierSettings,
        poster: Poster,
        clock: Clock,
        agenda: Agenda,
        faults: Faults,
        ledger: Ledger,
    ) -> None:
        self._settings = settings
        self._poster = poster
        self._by_hand = isinstance(clock, HandClock)
        self._agenda = agenda
        self._faults = faults
        self._ledger = ledger
        self._true = RequestValidator(settings.auth_token)
        self._false = RequestValidator("not " + settings.auth_token)

    async def report(self, url: str | None, fields: Mapping[str, str], number: str) -> None:
        """Post a status once, or as the fault plan bends it; connection failures are tried again."""
        if not url:
            return
        for delay_s, truly in self._faults.callback_posts(number):
            if delay_s > 0:
                self._agenda.after(delay_s, lambda truly=truly: self._report(url, fields, truly))  # type: ignore[misc]
            else:
                await self._report(url, fields, truly)

    async def ask(self, url: str, fields: Mapping[str, str]) -> Answer | None:
        """Post and return the answer; ``None`` when nobody answered."""
        return (await self._tries(url, fields, self._settings.callback_attempts))[0]

    async def insist(self, url: str, fields: Mapping[str, str]) -> tuple[Answer | None, int]:
        """Post until the answer is 2xx, or patience ends; return the last answer and how many tries it took.

        A 4xx other than 408 and 429 will not change by asking again.
        """
        answer: Answer | None = None
        for attempt in range(1, self._settings.answer_attempts + 1):
            answer = await self._once(url, fields, truly=True)
            if answer is not None and (answer.taken or _final(answer.status)):
                return answer, attempt
            await self._pause(self._settings.answer_pause_s)
        return answer, self._settings.answer_attempts

    async def _report(self, url: str, fields: Mapping[str, str], truly: bool) -> None:
        attempts = _attempts_asked(url) or self._settings.callback_attempts
        answer, tried = await self._tries(url, fields, attempts, truly=truly)
        if truly and (answer is None or not answer.taken):
            status = answer.status if answer else None
            self._ledger.add("callback_refused", url=url, status=status, attempts=tried)

    async def _tries(
        self, url: str, fields: Mapping[str, str], attempts: int, *, truly: bool = True
    ) -> tuple[Answer | None, int]:
        for attempt in range(1, attempts + 1):
            answer = await self._once(url, fields, truly=truly)
            if answer is not None:
                return answer, attempt
            if attempt < attempts:
                await self._pause(RETRY_PAUSE_S)
        return None, attempts

    async def _once(self, url: str, fields: Mapping[str, str], *, truly: bool) -> Answer | None:
        plain = urldefrag(url).url
        signer = self._true if truly else self._false
        headers = {HEADER: signer.compute_signature(plain, dict(fields))}
        try:
            return await self._poster.post(plain, fields, headers)
        except Unreachable:
            return None

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(0 if self._by_hand else seconds)


def _final(status: int) -> bool:
    return 400 <= status < 500 and status not in {408, 429}


def _attempts_asked(url: str) -> int | None:
    """Read Twilio's connection override ``#rc=3``: so many retries after the first try."""
    told = parse_qs(urldefrag(url).fragment).get("rc")
    return min(5, int(told[0])) + 1 if told and told[0].isdigit() else None
