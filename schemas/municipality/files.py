"""Bytes of a file to a document: YAML, JSON and GeoJSON, CSV. Sizes are bounded, lines are known."""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import Final

from schemas.municipality.document import Document, Loc, pointer
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.json_lines import lines_of_json
from schemas.municipality.yaml_file import yaml_document

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_YAML_CHARS: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 200_000
_BOM: Final = "\ufeff"


def document_of(file: str, raw: bytes) -> Document:
    """Read a file by its ending.

    Raises:
        FolderErrors: It is too large, not UTF-8, or not of its form.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise _unreadable(file, f"is longer than {MAX_FILE_BYTES} bytes, the most that is read")
    text = _text(file, raw)
    if file.endswith(".csv"):
        return csv_document(file, text)
    if file.endswith((".json", ".geojson")) or text.lstrip()[:1] == "{":
        return json_document(file, text)
    return _yaml(file, text)


def json_document(file: str, text: str) -> Document:
    """Read JSON; a name that stands twice is among its ``faults``.

    Raises:
        FolderErrors: It is not JSON, and not YAML either where the file may be.
    """
    try:
        content, has_twins = _parsed(text)
    except json.JSONDecodeError as err:
        if not file.endswith((".json", ".geojson")):
            return _yaml(file, text)
        reason = f"is not JSON: {err.msg[:1].lower()}{err.msg[1:]}"
        raise FolderErrors([FolderError(file, err.lineno, "json", reason)]) from err
    except RecursionError as err:
        raise FolderErrors([FolderError(file, 1, "json", "is nested too deeply")]) from err
    except ValueError as err:
        raise FolderErrors([FolderError(file, 1, "json", "holds a number that is too long")]) from err
    if not has_twins:
        return Document(file, content, lambda: lines_of_json(text)[0])
    lines, twins = lines_of_json(text)
    faults = (
        FolderError(file, line, pointer(loc), f"stands twice; first on line {lines[loc]}")
        for loc, line in twins
    )
    return Document(file, content, lambda: lines, faults=tuple(faults))


def csv_document(file: str, text: str) -> Document:
    """Read a table with a header. An empty cell is an absent field; rows of another length are ``faults``."""
    table = _Table(file)
    table.read(text)
    return Document(file, table.rows, lambda: table.lines, flat=True, faults=tuple(table.faults))


class _Table:
    def __init__(self, file: str) -> None:
        self.file = file
        self.rows: list[dict[str, str]] = []
        self.lines: dict[Loc, int] = {(): 1}
        self.faults: list[FolderError] = []

    def read(self, text: str) -> None:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            self.check(header)
            before = reader.line_num
            for cells in reader:
                line, before = before + 1, reader.line_num
                if cells and not self.take(header, cells, line):
                    break
        except csv.Error as err:
            self.wrong(reader.line_num, "row", f"is not CSV: {err}")

    def check(self, header: list[str]) -> None:
        if not any(header):
            self.wrong(1, "header", "is required: the first line names the columns")
        for name in sorted({name for name in header if header.count(name) > 1}):
            self.wrong(1, name or "header", "names a column twice")

    def take(self, header: list[str], cells: list[str], line: int) -> bool:
        """Keep one row; return whether there is room for more."""
        if len(self.rows) >= MAX_ROWS:
            self.wrong(line, "row", f"is beyond the {MAX_ROWS} rows that are read")
            return False
        if len(cells) != len(header):
            self.wrong(line, "row", f"has {len(cells)} cells; expected {len(header)}")
            return True
        self.lines[(len(self.rows),)] = line
        pairs = zip(header, (cell.strip() for cell in cells), strict=True)
        self.rows.append({name: cell for name, cell in pairs if cell})
        return True

    def wrong(self, line: int, field: str, reason: str) -> None:
        self.faults.append(FolderError(self.file, line, field, reason))


def _parsed(text: str) -> tuple[object, bool]:
    """Return the content, and whether a name stands twice in any object of it."""
    twins = False

    def of_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal twins
        read = dict(pairs)
        twins = twins or len(read) != len(pairs)
        return read

    content = json.loads(text, object_pairs_hook=of_pairs)
    return content, twins


def _yaml(file: str, text: str) -> Document:
    if len(text) > MAX_YAML_CHARS:
        raise _unreadable(file, f"is {len(text)} characters long; at most {MAX_YAML_CHARS} of YAML are read")
    return yaml_document(file, text)


def _text(file: str, raw: bytes) -> str:
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise _unreadable(file, "is UTF-16; save it as UTF-8")
    try:
        return raw.decode().removeprefix(_BOM)
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        reason = f"is not UTF-8: byte 0x{raw[err.start]:02x}; save it as UTF-8"
        raise FolderErrors([FolderError(file, line, "file", reason)]) from err


def _unreadable(file: str, reason: str) -> FolderErrors:
    return FolderErrors([FolderError(file, 1, "file", reason)])
