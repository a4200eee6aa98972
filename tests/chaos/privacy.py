"""What a run wrote down, and whether a person's number, name or words stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from municipio.stack import Stack
from tests.support.postgres import PostgresCluster

PIECE = 24
"""So many characters of a text in a row are that text, and no accident."""
# Plays the world outside: what it writes is no log of ours.
OUTSIDE = "carrier"
_DIGITS = re.compile(r"(?<![0-9A-Za-z])(?:503)?(\d{8})(?![0-9A-Za-z])")
_ANSWER = re.compile(r"\b(?:SI|OK|NO) \d{4}\b")


@dataclass(frozen=True, slots=True)
class Personal:
    """What must stand nowhere.

    Attributes:
        numbers: The last eight digits of every phone.
        names: Words that only names of people contain.
        pieces: Parts of every text that was sent.
    """

    numbers: frozenset[str]
    names: re.Pattern[str]
    pieces: frozenset[str]

    @staticmethod
    def of(phones: Iterable[str], names: Iterable[str], texts: Iterable[str]) -> Personal:
        words = {name for name in names if name}
        return Personal(
            frozenset(phone[-8:] for phone in phones),
            re.compile("|".join(re.escape(word) for word in sorted(words)) or r"(?!)"),
            frozenset(piece for text in set(texts) for piece in _cut(text, PIECE // 2)),
        )

    def is_in(self, line: str) -> bool:
        """Say whether a line shows something of a person."""
        return (
            self.names.search(line) is not None
            or _ANSWER.search(line) is not None
            or any(number in self.numbers for number in _DIGITS.findall(line))
            or not self.pieces.isdisjoint(_cut(line, 1))
        )


def blind_spots(personal: Personal, phone: str, name: str, text: str) -> list[str]:
    """Return what of a person could stand in a log unseen; a search that finds nothing has to show it can."""
    planted = {
        "a number": f"delivery failed to={phone} code=30003",
        "a number without its country": f"to='{phone[-8:]}'",
        "a name": f'{{"person":"{name}"}}',
        "a text": f"body: {text[5:-5]}…",
        "an answer": "said SI 4711 and hung up",
    }
    return [what for what, line in planted.items() if not personal.is_in(line)]


def places(written: Mapping[str, str], personal: Personal) -> list[str]:
    """Return ``place:line`` of every line that shows something, without repeating what."""
    return [
        f"{place}:{number}"
        for place, text in written.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if personal.is_in(line)
    ]


def metrics_of(stack: Stack) -> dict[str, str]:
    """Return what each service's ``/metrics`` says now."""
    urls = {name: url for name, url in stack.urls.items() if name != OUTSIDE}
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    with httpx.Client(timeout=10, trust_env=False, headers=headers) as http:
        return {
            f"{name} /metrics": http.get(f"{url}/metrics").raise_for_status().text
            for name, url in urls.items()
        }


def logs_of(stack: Stack, cluster: PostgresCluster | None) -> dict[str, str]:
    """Return every log of a copy that has ended, the broker's and the database's too."""
    data = stack.copy.data
    files: Sequence[Path] = [
        *(path for path in sorted(stack.copy.logs.glob("*.log*")) if not path.name.startswith(OUTSIDE)),
        *sorted((data / "supervisor").glob("*.log*")),
        *sorted((data / "kafka").glob("*.log")),
        *([cluster.log] if cluster is not None and cluster.log is not None else []),
    ]
    return {path.name: path.read_text(errors="replace") for path in files}


def _cut(text: str, step: int) -> Iterator[str]:
    return (text[start : start + PIECE] for start in range(0, len(text) - PIECE + 1, step))
