"""The keys of a phone that somebody holds while a call talks to it."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.support.fake_twilio.agenda import Agenda

KEYS: Final = frozenset("0123456789*#")
FINISH: Final = "#"


class Keypad:
    """Keeps what was pressed until a ``<Gather>`` asks for it; a key or hanging up ends any waiting."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._keys = ""
        self._waiting = asyncio.Event()
        self._is_down = False

    def press(self, keys: str) -> None:
        """Press keys one after the other.

        Raises:
            ValueError: A phone has no such key.
        """
        if not keys or not KEYS.issuperset(keys):
            raise ValueError("keys are 0 to 9, * and #")
        self._keys += keys
        self._waiting.set()

    def put_down(self) -> None:
        self._is_down = True
        self._waiting.set()

    async def listen(self, seconds: float) -> None:
        """Listen so long, or until the first key."""
        if not self._keys and not self._is_down:
            self._waiting = asyncio.Event()
            await self._agenda.wait(seconds, self._waiting)

    async def digits(self, most: int | None, timeout_s: float) -> str:
        """Return what is pressed until ``most`` digits, ``#``, or so long without a key."""
        typed = ""
        while not self._is_down:
            typed, self._keys = typed + self._keys, ""
            if FINISH in typed:
                return typed.partition(FINISH)[0]
            if most is not None and len(typed) >= most:
                return typed[:most]
            await self.listen(timeout_s)
            if not self._keys:
                return typed
        return ""
