"""How fast the town's clock runs while somebody watches: quick in quiet hours, slow when a phone asks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final

from municipio.stack import Stack
from services.runtime.clock import TownClock

OPENING_RATE: Final = 450.0
QUIET_RATE: Final = 120.0
WAITING_RATE: Final = 20.0
WAITING_S: Final = 5.5
NEARLY_RATE: Final = 5.0
"""From the first page to the first call pass two minutes of town time: most of them briskly, the last ones
slowly, so that a busy machine does not miss the minute in which somebody can still decide."""
READING_RATE: Final = 6.0
RINGING_RATE: Final = 1.0
DECIDING_RATE: Final = 0.5
"""While a call talks or a question of authority is open: whoever reads it has to find the button too."""
TIME_TO_READ_S: Final = 45.0
LOOK_EVERY_S: Final = 0.2
OPENING_LOOK_S: Final = 0.02
_ASKS: Final = re.compile(r"\b(SI|OK|VOY|SALIMOS) \d{4}\b")
_AUTHORITY: Final = re.compile(r"Responda SI (\d{4})")

Entry = Mapping[str, Any]


@dataclass(slots=True)
class Attention:
    """What waits for a person, from the carrier's ledger. Real time, in seconds, comes from outside.

    Attributes:
        ringing, talking: Calls, by id.
        asked_s: When each phone was last asked something that it has not answered.
        deciding: The phones among them that were asked for authority.
    """

    ringing: set[str] = field(default_factory=set)
    talking: set[str] = field(default_factory=set)
    asked_s: dict[str, float] = field(default_factory=dict)
    deciding: set[str] = field(default_factory=set)
    first_asked_s: float | None = None
    has_rung: bool = False

    def see(self, entry: Entry, now_s: float) -> None:
        """Take one entry of the ledger."""
        if entry["kind"] == "message" and _ASKS.search(entry["text"] or ""):
            self.asked_s[entry["phone"]] = now_s
            self.first_asked_s = self.first_asked_s or now_s
            if _AUTHORITY.search(entry["text"]):
                self.deciding.add(entry["phone"])
        elif entry["kind"] == "answer":
            self._answered(entry["phone"], entry["words"], now_s)
        elif entry["kind"] == "status" and entry["channel"] == "voice":
            self._rung(entry, now_s)

    def rate(self, now_s: float) -> float:
        """Return town seconds a real second."""
        if self.talking:
            return DECIDING_RATE
        if self.ringing:
            return RINGING_RATE
        if not self.has_rung:
            return self._rate_before_the_first_call(now_s)
        fresh = {phone for phone, asked_s in self.asked_s.items() if now_s - asked_s < TIME_TO_READ_S}
        if not fresh:
            return QUIET_RATE
        return DECIDING_RATE if fresh & self.deciding else READING_RATE

    def _rate_before_the_first_call(self, now_s: float) -> float:
        if self.first_asked_s is None:
            return RINGING_RATE
        return WAITING_RATE if now_s - self.first_asked_s < WAITING_S else NEARLY_RATE

    def _answered(self, phone: str, words: str, now_s: float) -> None:
        if words.upper().startswith(("SI", "NO", "PASO")) or len(words) == 4:
            self.deciding.clear()  # One answer decides for all who were asked.
        elif phone in self.deciding:
            self.asked_s[phone] = now_s  # It was heard; the decision is still to be made.
            return
        self.asked_s.pop(phone, None)

    def _rung(self, entry: Entry, now_s: float) -> None:
        sid, status = entry["sid"], entry["status"]
        was_up = sid in self.ringing | self.talking
        self.ringing.discard(sid)
        self.talking.discard(sid)
        if status == "ringing":
            self.has_rung = True
            self.ringing.add(sid)
        elif status == "in-progress":
            self.talking.add(sid)
        elif was_up and entry["phone"] in self.asked_s:
            self.asked_s[entry["phone"]] = now_s


class Pace:
    """Sets the rate of a copy's town clock as long as it is entered, from ``since`` on its clock.

    Before, the clock runs at ``OPENING_RATE``: somebody waits for the first phone.
    """

    def __init__(self, stack: Stack, since: datetime) -> None:
        self._stack = stack
        self._since = since
        self._attention = Attention()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pace:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _await_opening(self, clock: TownClock) -> None:
        """Wait until the recording has set the clock back to its beginning and ``since`` has come."""
        while clock.now() >= self._since and not self._over.wait(OPENING_LOOK_S):
            pass
        while clock.now() < self._since and not self._over.wait(OPENING_LOOK_S):
            pass

    def _run(self) -> None:
        import httpx

        after, rate = 0, OPENING_RATE
        path = self._stack.copy.clock_file
        self._await_opening(TownClock(path))
        with httpx.Client(base_url=self._stack.urls["carrier"], timeout=5, trust_env=False) as http:
            while not self._over.wait(LOOK_EVERY_S):
                try:
                    page = http.get("/_ledger", params={"after": after}).json()
                except (httpx.HTTPError, ValueError):
                    continue  # The carrier is starting again: the clock goes on as it does.
                after = page["next"]
                for entry in page["items"]:
                    self._attention.see(entry, time.monotonic())
                wanted = self._attention.rate(time.monotonic())
                if wanted != rate:
                    rate = wanted
                    TownClock.write(path, TownClock(path).now(), rate)
