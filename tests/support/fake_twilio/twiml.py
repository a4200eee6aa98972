"""Reads the TwiML that we use: Say, Play, Pause, Gather, Redirect, Hangup, Reject, Message."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

SIGNS_PER_S = 15  # speech: about 15 signs a second in Spanish, so that a call has a length


class BrokenTwiml(ValueError):
    """A document that a real carrier would answer with an application error (12100, 12200)."""


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    language: str | None

    @property
    def seconds(self) -> float:
        return len(self.text) / SIGNS_PER_S


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Gather:
    prompts: tuple[Say | Pause, ...]
    action: str | None
    digits: int | None
    timeout_s: float
    on_empty: bool


@dataclass(frozen=True, slots=True)
class Redirect:
    url: str


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


Verb = Say | Pause | Gather | Redirect | Hangup


def verbs(document: str) -> list[Verb]:
    """Return the verbs of a call's document in order.

    Raises:
        BrokenTwiml: Not XML, not a ``Response``, or a verb that no carrier knows or this one does not play.
    """
    return [_verb(node) for node in _response(document)]


def texts(document: str) -> list[str]:
    """Return the texts of the ``Message`` verbs that answer an incoming text; an empty answer has none."""
    if not document.strip():
        return []
    return [
        (node.findtext("Body") or node.text or "").strip()
        for node in _response(document)
        if node.tag == "Message"
    ]


def heard(document: str) -> str:
    """Return every word that a document could say, for a ledger that cannot wait for the answer."""
    said: list[str] = []
    for verb in verbs(document):
        parts: Sequence[Verb] = verb.prompts if isinstance(verb, Gather) else (verb,)
        said += [part.text for part in parts if isinstance(part, Say)]
    return " ".join(said)


def _response(document: str) -> ET.Element:
    if "<!DOCTYPE" in document:
        raise BrokenTwiml("a DOCTYPE has no place in TwiML")
    try:
        root = ET.fromstring(document)
    except ET.ParseError as err:
        raise BrokenTwiml(f"not XML: {err}") from err
    if root.tag != "Response":
        raise BrokenTwiml(f"the root is {root.tag}, not Response")
    return root


def _verb(node: ET.Element) -> Verb:
    if node.tag in {"Say", "Play", "Pause"}:
        return _prompt(node)
    if node.tag == "Gather":
        if "dtmf" not in node.get("input", "dtmf"):
            raise BrokenTwiml("only digits are gathered here")
        digits = node.get("numDigits")
        return Gather(
            prompts=tuple(_prompt(child) for child in node),
            action=node.get("action"),
            digits=int(digits) if digits else None,
            timeout_s=float(node.get("timeout", "5")),
            on_empty=node.get("actionOnEmptyResult") == "true",
        )
    if node.tag == "Redirect":
        return Redirect((node.text or "").strip())
    if node.tag in {"Hangup", "Reject"}:
        return Hangup()
    raise BrokenTwiml(f"{node.tag} is not played here")


def _prompt(node: ET.Element) -> Say | Pause:
    if node.tag == "Say":
        return Say(" ".join("".join(node.itertext()).split()), node.get("language"))
    if node.tag == "Play":
        return Say(f"[{(node.text or '').strip()}]", None)
    if node.tag == "Pause":
        return Pause(float(node.get("length", "1")))
    raise BrokenTwiml(f"{node.tag} is not played here")
