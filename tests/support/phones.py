"""The language of stories: phones that expect texts and calls, and answer or stay silent.

    ana = phones["+50370000001"]
    ana.expects_sms("flood").stays_silent()
    town.wait(minutes=5)
    ana.expects_call("flood").presses("1")
    phones.of("+50370000101", "+50370000102").expects_sms("Salga YA")
    phones.nothing_else()

``Phones`` reads the ledger of a ``FakeCarrier`` and claims what a story expected; what nobody claimed fails
``nothing_else``, which ends every story. It needs a ``pump`` from the town's harness:

- ``pump()`` makes happen all that is due now, in town and carrier, until both are quiet. It is called before
  each look at the ledger and after each answer. It is an ordinary function: a harness that owns its loop
  writes ``lambda: runner.run(town.settle())``, where ``settle`` also awaits ``carrier.settle()``.
- A story that is itself a coroutine gives no pump and awaits ``town.settle()`` between its sentences.

Words are found without regard to case and accents (SMS drop á í ó ú). A word of ``MEANINGS`` stands for what
the town writes about it, so that ``"flood"`` outlives a change of text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from tests.support.fake_twilio import FakeCarrier

Entry = dict[str, Any]

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "flood": r"\brio\b|desborda|crecida|inunda|quebrada",
        "silence": r"dejo de reportar|sin dato|no reporta",
        "authority": r"\bresponda si \d{4}|autoriza",
        "warning": r"salga|suba|no cruce",
        "lift": r"termina el aviso",
        "renewal": r"sigue el aviso|sigue hasta",
    }
)
CODE: Final = re.compile(r"\b(?:SI|OK|NO|PASO|VOY|SALIMOS)\s+(\d{4})\b")


class Unexpected(AssertionError):
    """What a phone got, or did not get, is not what the story says."""


class Phones:
    """Every phone of the carrier, and what of the ledger the story has spoken of so far."""

    def __init__(
        self,
        carrier: FakeCarrier,
        pump: Callable[[], None] = lambda: None,
        meanings: Mapping[str, str] = MEANINGS,
    ) -> None:
        self.carrier = carrier
        self.pump = pump
        self._meanings = meanings
        self._claimed: set[str] = set()
        self._checks: list[Callable[[], bool]] = []

    def __getitem__(self, number: str) -> Phone:
        return Phone(self, number)

    def of(self, *numbers: str) -> Group:
        """Return several phones that expect the same; one call for all residents of a zone."""
        return Group([self[number] for number in numbers])

    def nothing_else(self) -> None:
        """End a story: every text and call was expected, every answer was taken, every check held."""
        self.pump()
        self._checks = [check for check in self._checks if not check()]
        if self._checks:
            raise Unexpected("a call that a story answered was never heard to its end")
        left = [entry for entry in self.entries("message", "call") if entry["sid"] not in self._claimed]
        if left:
            raise Unexpected("nobody expected:\n" + "\n".join(map(_shown, left)))
        refused = list(self.entries("callback_refused"))
        refused += [entry for entry in self.entries("answer_taken") if not entry["taken"]]
        if refused:
            raise Unexpected("a webhook did not take:\n" + "\n".join(map(str, refused)))

    def entries(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.carrier.ledger.entries if entry["kind"] in kinds]

    def unclaimed(self, kind: str, number: str) -> list[Entry]:
        rows = self.entries(kind)
        return [row for row in rows if row["phone"] == number and row["sid"] not in self._claimed]

    def claim(self, entry: Entry) -> None:
        self._claimed.add(entry["sid"])

    def later(self, check: Callable[[], bool]) -> None:
        """Hold a check now if it can be, else when the story ends; it answers False while it cannot."""
        if not check():
            self._checks.append(check)

    def says(self, words: Iterable[str], text: str) -> bool:
        plain = _plain(text)
        return all(re.search(self._pattern(word), plain) for word in words)

    def _pattern(self, word: str) -> str:
        return self._meanings.get(word) or re.escape(_plain(word))


class Phone:
    """One phone and the person behind it."""

    def __init__(self, phones: Phones, number: str) -> None:
        self._phones = phones
        self.number = number

    def expects_sms(self, *words: str) -> Text:
        """Claim the oldest text that says all the words and that no sentence has claimed yet."""
        self._phones.pump()
        there = self._phones.unclaimed("message", self.number)
        for entry in there:
            if self._phones.says(words, entry["text"]):
                self._phones.claim(entry)
                return Text(self._phones, entry)
        raise Unexpected(self._missing("text", words, there))

    def expects_call(self, *words: str) -> Ringing:
        """Claim the oldest call; the words are compared now where they are known, else once it is heard."""
        self._phones.pump()
        there = self._phones.unclaimed("call", self.number)
        for entry in there:
            if entry["text"] is None or self._phones.says(words, entry["text"]):
                self._phones.claim(entry)
                return Ringing(self._phones, entry, words)
        raise Unexpected(self._missing("call", words, there))

    def expects_nothing(self) -> None:
        """Hold that nothing came that the story has not spoken of."""
        self._phones.pump()
        there = [
            *self._phones.unclaimed("message", self.number),
            *self._phones.unclaimed("call", self.number),
        ]
        if there:
            raise Unexpected(f"{self.number} expected nothing and got:\n" + "\n".join(map(_shown, there)))

    def says(self, words: str, *, to: str | None = None) -> None:
        """Send a text of one's own accord, by default to who wrote last."""
        self._phones.carrier.say(self.number, words, to=to)
        self._phones.pump()

    def slept_through_it(self) -> None:
        """Say in the story that this person saw nothing of what came so far."""
        self._phones.pump()
        for kind in ("message", "call"):
            for entry in self._phones.unclaimed(kind, self.number):
                self._phones.claim(entry)

    def is_switched_off(self) -> None:
        self._phones.carrier.handsets.switch(self.number, on=False)

    def is_switched_on(self) -> None:
        self._phones.carrier.handsets.switch(self.number, on=True)

    def _missing(self, what: str, words: tuple[str, ...], there: list[Entry]) -> str:
        got = "\n".join(map(_shown, there)) or "nothing"
        return f"{self.number} expected a {what} with {', '.join(words) or 'anything'} and got:\n{got}"


class Group:
    """Several phones that all expect the same."""

    def __init__(self, phones: list[Phone]) -> None:
        self._phones = phones

    def expects_sms(self, *words: str) -> list[Text]:
        return [phone.expects_sms(*words) for phone in self._phones]

    def expects_nothing(self) -> None:
        for phone in self._phones:
            phone.expects_nothing()


class Text:
    """A text that a story expected, in the hand of who reads it."""

    def __init__(self, phones: Phones, entry: Entry) -> None:
        self._phones = phones
        self._entry = entry

    @property
    def words(self) -> str:
        return str(self._entry["text"])

    @property
    def code(self) -> str:
        """Return the four digits that the text asks for."""
        found = CODE.search(self.words)
        if found is None:
            raise Unexpected(f"no code to answer with in: {self.words}")
        return found.group(1)

    def stays_silent(self) -> None:
        """Say in the story that this person does not answer."""

    def replies(self, words: str) -> None:
        """Answer; ``{code}`` stands for the text's own code: ``replies("SI {code}")``."""
        answer = words.replace("{code}", self.code) if "{code}" in words else words
        self._phones.carrier.say(self._entry["phone"], answer, to=self._entry["sender"])
        self._phones.pump()


class Ringing:
    """A call that a story expected. It rings until somebody answers, or rings out."""

    def __init__(self, phones: Phones, entry: Entry, words: tuple[str, ...]) -> None:
        self._phones = phones
        self._entry = entry
        self._words = words

    def stays_silent(self) -> None:
        """Say in the story that nobody takes this call."""

    def presses(self, *digits: str) -> None:
        """Take the call, hear the words and press digits, one lot for each question."""
        self._take(digits, "human")

    def is_heard(self) -> None:
        """Take the call, hear the words and press nothing."""
        self._take((), "human")

    def goes_to_voicemail(self) -> None:
        self._take((), "machine")

    def _take(self, digits: tuple[str, ...], by: Any) -> None:
        if not self._phones.carrier.calling.answer(self._entry["sid"], digits, by):
            raise Unexpected(f"the call to {self._entry['phone']} does not ring any more")
        self._phones.pump()
        self._phones.later(self._said_it)

    def _said_it(self) -> bool:
        heard = [row for row in self._phones.entries("heard") if row["sid"] == self._entry["sid"]]
        if not heard:
            return False
        if not self._phones.says(self._words, heard[0]["text"]):
            raise Unexpected(f"the call did not say {', '.join(self._words)} but: {heard[0]['text']}")
        return True


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFD", text)
    return "".join(sign for sign in bare if not unicodedata.combining(sign)).lower()


def _shown(entry: Entry) -> str:
    return f"  {entry['phone']} {entry['channel']}: {entry['text'] or '(not heard yet)'}"
