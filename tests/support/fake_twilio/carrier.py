"""The fake carrier as one object: an ASGI app, a server, or a thing that stories step by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from tests.support.fake_twilio.agenda import Agenda
from tests.support.fake_twilio.calls import Calling
from tests.support.fake_twilio.clock import Clock, HandClock, RealClock, TownFileClock
from tests.support.fake_twilio.control import ControlApi
from tests.support.fake_twilio.exchange import Exchange
from tests.support.fake_twilio.faults import FaultPlan, Faults
from tests.support.fake_twilio.handsets import Handsets
from tests.support.fake_twilio.ledger import Ledger
from tests.support.fake_twilio.messages import Texting
from tests.support.fake_twilio.page import PhonesPage
from tests.support.fake_twilio.posting import HttpPoster, Poster
from tests.support.fake_twilio.replies import Replying
from tests.support.fake_twilio.settings import CarrierSettings
from tests.support.fake_twilio.town import TownView
from tests.support.fake_twilio.web import TwilioApi
from tests.support.fake_twilio.webhooks import Webhooks
from tests.support.fake_twilio.wire import listening


class FakeCarrier:
    """Takes texts and calls over the API of the real one and plays the phones behind it.

    With a ``HandClock`` nothing happens by itself: move the clock, then ``await settle()``. With another
    clock ``serving`` also plays the agenda. A ledger file that exists is taken up where it ended.
    """

    def __init__(
        self,
        settings: CarrierSettings | None = None,
        *,
        clock: Clock | None = None,
        poster: Poster | None = None,
        faults: FaultPlan | None = None,
        ledger: Path | None = None,
        people: Path | None = None,
        town: TownView | None = None,
    ) -> None:
        settings = settings or CarrierSettings()
        self.clock: Clock = clock or RealClock()
        self.agenda = Agenda(self.clock)
        self.ledger = Ledger(ledger, self.clock.town if isinstance(self.clock, TownFileClock) else None)
        self.faults = Faults(faults or FaultPlan())
        self.poster: Poster = poster or HttpPoster(settings.read_timeout_s)
        webhooks = Webhooks(settings, self.poster, self.clock, self.agenda, self.faults, self.ledger)
        self._exchange = Exchange(settings, self.clock, self.agenda, self.ledger, self.faults, webhooks)
        self.texting = Texting(self._exchange)
        self.replying = Replying(self._exchange, self.texting)
        self.calling = Calling(self._exchange)
        remembered = list(self.ledger.entries)
        self.texting.restore(remembered)
        self.calling.restore(remembered)
        self.replying.restore(remembered)
        for entry in remembered:
            if entry["kind"] == "switched":
                self.handsets.switch(entry["phone"], on=entry["on"])
        self.town = town or TownView(self.clock)
        self._page = PhonesPage(self, people)
        self.app = Starlette(
            routes=[*TwilioApi(self).routes(), *ControlApi(self).routes(), *self._page.routes()]
        )

    @property
    def settings(self) -> CarrierSettings:
        return self._exchange.settings

    @property
    def handsets(self) -> Handsets:
        return self._exchange.handsets

    def message_in_at(self, url: str) -> None:
        """Say which webhook takes replies from now on."""
        self._exchange.settings = replace(self._exchange.settings, message_in=url)

    def switch(self, phone: str, *, on: bool) -> None:
        """Switch a phone on or off and write it down: it stays so over a restart."""
        self.handsets.switch(phone, on=on)
        self.ledger.add("switched", phone=phone, on=on)

    def say(self, phone: str, words: str, *, to: str | None = None, after_s: float = 0.0) -> str:
        """Let a phone send words to a number, by default to whoever wrote to it last.

        Raises:
            ValueError: Nobody wrote to this phone and no number is given.
        """
        to = to or self._last_writer(phone)
        if to is None:
            raise ValueError("nobody wrote to this phone yet: say to which number it writes")
        return self.replying.say(phone, to, words, after_s=after_s)

    async def settle(self) -> int:
        """Do everything that is due by now; return how many deeds that were."""
        return await self.agenda.settle()

    def due_in_s(self) -> float | None:
        """Return in how many seconds of this carrier's clock something will happen, or ``None``."""
        due_s = self.agenda.next_due_s()
        return None if due_s is None else max(0.0, due_s - self.clock.elapsed_s())

    def forget(self) -> None:
        """Drop all texts, calls and entries; behaviours and faults stay."""
        self.agenda.clear()
        self.texting.forget()
        self.calling.forget()
        self.ledger.reset()

    def phone_list(self) -> list[dict[str, Any]]:
        """Return the phones that were written to or rung, with their last text and whether one rings now."""
        rows: dict[str, dict[str, Any]] = {}
        for entry in self.ledger.entries:
            if entry["kind"] not in {"message", "call"}:
                continue
            row = rows.setdefault(entry["phone"], {"phone": entry["phone"], "messages": 0, "calls": 0})
            row["messages" if entry["kind"] == "message" else "calls"] += 1
            row["last_text"], row["last_at"] = entry.get("text"), entry["at"]
        ringing = {
            call.order.to: sid for sid, call in self.calling.by_sid.items() if call.status == "ringing"
        }
        return [
            row | {"on": self.handsets.of(phone).on, "ringing": ringing.get(phone)}
            for phone, row in rows.items()
        ]

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve in this loop on ``port`` (0: any), yield the base URL; play the agenda unless by hand."""
        playing = None if isinstance(self.clock, HandClock) else asyncio.create_task(self.agenda.run())
        try:
            async with listening(self.app, host, port) as url:
                with self._page.streaming():
                    yield url
        finally:
            if playing is not None:
                playing.cancel()
                with suppress(asyncio.CancelledError):
                    await playing
            await self.close()

    async def close(self) -> None:
        await self.town.close()
        await self.poster.close()
        self.ledger.close()

    def _last_writer(self, phone: str) -> str | None:
        for entry in reversed(self.ledger.entries):
            if entry["kind"] == "message" and entry["phone"] == phone:
                return str(entry["sender"])
        return None
