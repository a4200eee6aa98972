"""How the people behind the phones behave. Silent unless told otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

AnsweredBy = Literal["human", "machine", "nobody", "busy"]
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP", "YES"})


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a text that fits ``match`` with ``answer`` (``\\1``, ``{name}`` for groups), so much later."""

    match: str
    answer: str
    after_ms: int = 0
    times: int | None = None

    def to(self, text: str) -> str | None:
        found = re.search(self.match, text)
        return found.expand(re.sub(r"\{(\w+)\}", r"\\g<\1>", self.answer)) if found else None


@dataclass(frozen=True, slots=True)
class CallManner:
    """What happens when it rings; ``press`` are the digits for one ``<Gather>`` after the other."""

    answered_by: AnsweredBy = "nobody"
    after_ms: int | None = None
    press: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``on`` false: switched off, texts are undelivered with 30003 and calls ring out."""

    replies: tuple[Reply, ...] = ()
    call: CallManner = CallManner()
    on: bool = True

    @staticmethod
    def read(told: Mapping[str, Any]) -> Behaviour:
        """Build from JSON; raise ``ValueError`` or ``TypeError`` on what is not known."""
        unknown = set(told) - {"sms", "call", "on"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        call = dict(told.get("call") or {})
        press = call.pop("press", ())
        manner = CallManner(press=(press,) if isinstance(press, str) else tuple(press), **call)
        replies = tuple(Reply(**rule) for rule in told.get("sms") or ())
        for rule in replies:
            re.compile(rule.match)
        return Behaviour(replies, manner, bool(told.get("on", True)))


@dataclass(slots=True)
class Handsets:
    """Rules by number pattern (the last that fits holds), and who said STOP to which sender."""

    rules: list[tuple[str, Behaviour]] = field(default_factory=list)
    opted_out: set[tuple[str, str]] = field(default_factory=set)
    _used: dict[tuple[str, Reply], int] = field(default_factory=dict)

    def behave(self, pattern: str, behaviour: Behaviour) -> None:
        """Set how the numbers that fit the whole pattern behave; a second rule for it replaces the first."""
        re.compile(pattern)
        self.rules = [rule for rule in self.rules if rule[0] != pattern] + [(pattern, behaviour)]

    def switch(self, number: str, *, on: bool) -> None:
        self.behave(re.escape(number), replace(self.of(number), on=on))

    def of(self, number: str) -> Behaviour:
        for pattern, behaviour in reversed(self.rules):
            if re.fullmatch(pattern, number):
                return behaviour
        return Behaviour()

    def replies(self, number: str, text: str) -> Iterator[tuple[str, int]]:
        """Yield what this phone answers to a text, and after how many milliseconds."""
        for rule in self.of(number).replies:
            words = rule.to(text)
            used = self._used.get((number, rule), 0)
            if words is not None and (rule.times is None or used < rule.times):
                self._used[number, rule] = used + 1
                yield words, rule.after_ms

    def heed(self, number: str, sender: str, words: str) -> None:
        """Apply the carrier's own STOP and START, one word and nothing else."""
        word = words.strip().upper()
        if word in STOP_WORDS:
            self.opted_out.add((number, sender))
        elif word in START_WORDS:
            self.opted_out.discard((number, sender))

    def stopped(self, number: str, sender: str) -> bool:
        return (number, sender) in self.opted_out

    def reset(self) -> None:
        self.rules.clear()
        self.opted_out.clear()
        self._used.clear()
