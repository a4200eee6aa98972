"""Read the body of a request into rows, each with its place; decide nothing about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from services.ingest.domain.normalise import Fault, Offered
from services.ingest.errors import NotReadable

BODY_BYTES_MOST: Final = 1024 * 1024
ROWS_MOST: Final = 10_000
_JSON: Final = frozenset({"application/json"})
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_OFFERED: Final = msgspec.json.Decoder(Offered)
_ALL_OFFERED: Final = msgspec.json.Decoder(list[Offered])


@dataclass(frozen=True, slots=True)
class Rows:
    """What was offered, in order: each an ``Offered``, any JSON, or why it is none.

    Attributes:
        is_alone: One reading was posted by itself, not in an array.
    """

    offered: Sequence[object]
    is_alone: bool = False

    def point_at(self, index: int, field: str) -> str:
        """Return the JSON pointer to a field of a row, or to the row, in what was posted."""
        row = "#" if self.is_alone else f"#/{index}"
        return f"{row}/{field}" if field else row


def rows_of(content_type: str | None, body: bytes) -> Rows:
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
    rows = _as_expected(kind, body)
    if rows is None:
        rows = _lines(_text(body)) if kind in _NDJSON else _json(_text(body))
    if len(rows.offered) > ROWS_MOST:
        raise NotReadable(413, "Too many readings", f"send at most {ROWS_MOST} readings a request")
    return rows


def _as_expected(kind: str, body: bytes) -> Rows | None:
    """Return rows that are all of their form; None where any is not, and each must be looked at by itself."""
    try:
        if kind in _NDJSON:
            return Rows(_OFFERED.decode_lines(body))
        if body[:1] == b"{":
            return Rows((_OFFERED.decode(body),), is_alone=True)
        return Rows(_ALL_OFFERED.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise _unreadable(f"the body is not UTF-8 at byte {err.start}") from err


def _json(text: str) -> Rows:
    try:
        document = json.loads(text)
    except ValueError as err:
        raise _unreadable(_why(err)) from err
    except RecursionError as err:
        raise _unreadable("the body is nested too deeply") from err
    return Rows(document) if isinstance(document, list) else Rows((document,), is_alone=True)


def _lines(text: str) -> Rows:
    return Rows([_line(line) for line in text.split("\n") if line.strip()])


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
