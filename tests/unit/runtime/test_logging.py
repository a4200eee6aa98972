"""No phone number in any line, whoever wrote it, however deep it stands."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.logging import REDACTED, RateLimit, configure, redact


@pytest.mark.parametrize(
    "text",
    [
        "+50688887777",
        "+506 8888-7777",
        "+1 (555) 010-9999",
        "%2B50688887777",
        "50688887777",
        "To=+50688887777&Body=hola",
        "sent to 88887777.",
    ],
)
def test_what_looks_like_a_number_is_taken_out(text: str) -> None:
    """With or without country code, spaces, brackets, or as a URL carries it."""
    said = redact(None, "", {"event": text, "deep": {"list": [text, (text,)]}, "error": ValueError(text)})
    assert "8888" not in str(said)
    assert "9999" not in str(said)
    assert str(said).count(REDACTED) == 4


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-02T13:15:00.123456+00:00",
        "6f1d2c3b-12345678-4a",
        "readings[2]@41",
        "3600.25",
        "e12345678",
        "1.2.3",
    ],
)
def test_times_and_identifiers_stay(text: str) -> None:
    """A log without identifiers is no log."""
    assert redact(None, "", {"event": text})["event"] == text


def test_numbers_that_are_numbers_stay() -> None:
    """Offsets and durations."""
    assert redact(None, "", {"offset": 88887777, "waited_s": 4.2})["offset"] == 88887777


@given(prefix=st.text(max_size=10), digits=st.text("0123456789", min_size=9, max_size=13))
def test_no_international_number_survives_any_neighbourhood(prefix: str, digits: str) -> None:
    """Whatever stands before the plus."""
    assert f"+{digits}" not in redact(None, "", {"event": f"{prefix}+{digits} "})["event"]


@pytest.fixture
def lines() -> io.StringIO:
    """What a production process writes."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure("production", "testing")
    out = io.StringIO()
    root.handlers[0].setStream(out)
    yield out
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_production_writes_json_with_names_and_no_numbers(lines: io.StringIO) -> None:
    """Ours and the libraries', traces included."""
    structlog.get_logger("ours").warning("notify.sms_failed", message_id="m1", to="+50688887777")
    logging.getLogger("library").error("could not reach %s", "+50688887777")
    try:
        int("+50688887777x")
    except ValueError:
        structlog.get_logger("ours").exception("notify.failed")
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["event"] for line in written] == [
        "notify.sms_failed",
        f"could not reach {REDACTED}",
        "notify.failed",
    ]
    assert {line["service"] for line in written} == {"testing"}
    assert "88887777" not in lines.getvalue()
    assert "ValueError" in written[2]["exception"]


def test_libraries_that_log_bodies_are_quiet(lines: io.StringIO) -> None:
    """Twilio's client logs requests at INFO."""
    logging.getLogger("twilio.http_client").info("POST To=+50688887777")
    assert lines.getvalue() == ""


def test_a_flood_of_lines_is_held_back_and_counted() -> None:
    """2,400 lines a second of one library become a burst and a few a second; others are untouched."""
    now_s = [0.0]
    limit = RateLimit("aiokafka", lambda: now_s[0])

    def line(name: str) -> logging.LogRecord:
        return logging.LogRecord(name, logging.WARNING, "", 0, "not leader", (), None)

    assert sum(limit.filter(line("aiokafka.producer")) for _ in range(2400)) == 50
    assert limit.filter(line("services"))
    now_s[0] = 1
    record = line("aiokafka")
    assert limit.filter(record)
    assert record.getMessage() == "not leader (2350 lines kept back)"
