"""Read the body of a request into rows, each with its place; decide nothing about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from services.ingest.domain.normalise import Fault
from services.ingest.errors import NotReadable

BODY_BYTES_MOST: Final = 1024 * 1024
ROWS_MOST: Final = 10_000
_JSON: Final = frozenset({"application/json"})
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


@dataclass(frozen=True, slots=True)
class Row:
    """One offered reading, or what keeps it from being one.

    Attributes:
        pointer: JSON pointer to it in what was posted; ``#`` when it was posted alone.
    """

    index: int
    pointer: str
    offered: object

    def point_at(self, field: str) -> str:
        return f"{self.pointer}/{field}" if field else self.pointer


def rows_of(content_type: str | None, body: bytes) -> list[Row]:
    """Return the rows of a body.

    Raises:
        NotReadable: 415 for another type, 400 for what cannot be parsed, 413 for too many rows.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in _JSON | _NDJSON:
        raise NotReadable(
            415,
            "This type of body is not taken",
            "send Content-Type: application/json, or application/x-ndjson for one reading a line",
        )
    rows = _lines(_text(body)) if kind in _NDJSON else _json(_text(body))
    if len(rows) > ROWS_MOST:
        raise NotReadable(413, "Too many readings", f"send at most {ROWS_MOST} readings a request")
    return rows


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise _unreadable(f"the body is not UTF-8 at byte {err.start}") from err


def _json(text: str) -> list[Row]:
    try:
        document = json.loads(text)
    except ValueError as err:
        raise _unreadable(_why(err)) from err
    except RecursionError as err:
        raise _unreadable("the body is nested too deeply") from err
    if isinstance(document, list):
        return [Row(at, f"#/{at}", offered) for at, offered in enumerate(document)]
    return [Row(0, "#", document)]


def _lines(text: str) -> list[Row]:
    lines = [line for line in text.split("\n") if line.strip()]
    return [Row(at, f"#/{at}", _line(line)) for at, line in enumerate(lines)]


def _line(line: str) -> object:
    # A broken line is refused alone: the lines around it are whole.
    try:
        return json.loads(line)
    except ValueError as err:
        return Fault("", f"is not JSON: {_why(err)}")
    except RecursionError:
        return Fault("", "is nested too deeply")


def _why(err: ValueError) -> str:
    if isinstance(err, json.JSONDecodeError):
        return f"{err.msg} at line {err.lineno}, column {err.colno}"
    return "a number has too many digits"


def _unreadable(detail: str) -> NotReadable:
    return NotReadable(400, "The body cannot be read", detail)
