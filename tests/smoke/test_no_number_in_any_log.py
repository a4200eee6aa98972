"""No phone number, no name of a person and no text of a message stands in a log or a metric."""

from __future__ import annotations

import re

import pytest

from tests.smoke.outage import NAMES, Run
from tests.support.towns import FICTIONAL_PREFIX

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(600)]

PIECE = 24
"""So many characters of a text in a row are that text, and no accident."""


def found_in(run: Run, wanted: re.Pattern[str]) -> list[str]:
    """Return where it stands, without repeating what."""
    return [
        f"{place}:{number}"
        for place, text in run.written.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if wanted.search(line)
    ]


def any_of(words: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in sorted(words)))


def test_something_was_written_by_everybody(after_outage: Run) -> None:
    """Silence would prove nothing."""
    logs = {place for place, text in after_outage.written.items() if text}
    expected = {f"logs/{name}.log" for name in ("ingest", "triage", "notify")}
    assert expected | {"ingest /metrics", "triage /metrics", "notify /metrics", "door /metrics"} <= logs


def test_no_phone_number_is_written_down(after_outage: Run) -> None:
    """Neither one that was seeded nor any other of the town's range, with or without its plus."""
    town = after_outage.town
    seeded = {*town.phones.values(), *(phone for phones in town.residents.values() for phone in phones)}
    assert len(seeded) >= 40
    assert [] == found_in(after_outage, any_of({phone.removeprefix("+") for phone in seeded}))
    assert [] == found_in(after_outage, re.compile(re.escape(FICTIONAL_PREFIX.removeprefix("+")) + r"\d{6}"))


def test_no_name_of_a_person_is_written_down(after_outage: Run) -> None:
    """Ids stand there; names never."""
    words = {word for name in NAMES.values() for word in (name, *name.split())}
    assert [] == found_in(after_outage, any_of(words))


def test_no_text_of_a_message_is_written_down(after_outage: Run) -> None:
    """Not even a part of it, as an error's excerpt would be."""
    assert len(after_outage.texts) >= 40
    pieces = {
        text[start : start + PIECE]
        for text in after_outage.texts
        for start in range(0, len(text) - PIECE + 1, PIECE // 2)
    }
    assert [] == found_in(after_outage, any_of(pieces))
