"""Bytes of a file to a document: YAML, JSON and GeoJSON, CSV. Sizes are bounded, lines are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Final

from schemas.municipality.document import Document, Loc
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.yaml_file import yaml_document

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_YAML_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 200_000
_BOM: Final = "\ufeff"


def document_of(file: str, raw: bytes) -> Document:
    """Read a file by its ending.

    Raises:
        FolderErrors: It is too large, not UTF-8, or not of its form.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise _unreadable(file, f"is {len(raw)} bytes long; at most {MAX_FILE_BYTES} are read")
    text = _text(file, raw)
    if file.endswith(".csv"):
        return csv_document(file, text)
    if file.endswith((".json", ".geojson")) or text.lstrip()[:1] == "{":
        return json_document(file, text)
    if len(raw) > MAX_YAML_BYTES:
        raise _unreadable(file, f"is {len(raw)} bytes long; at most {MAX_YAML_BYTES} of YAML are read")
    return yaml_document(file, text)


def json_document(file: str, text: str) -> Document:
    """Read JSON, which is YAML as well: the slow reader is asked only where something is wrong."""
    try:
        content = json.loads(text, object_pairs_hook=_without_twins)
    except (json.JSONDecodeError, _Twins, RecursionError, ValueError):
        return yaml_document(file, _as_yaml(text))
    return Document(file, content, lambda: _lines(file, text))


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


class _Twins(Exception):
    pass


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _Twins
    return read


def _lines(file: str, text: str) -> Mapping[Loc, int]:
    try:
        return yaml_document(file, _as_yaml(text)).lines
    except FolderErrors:
        return {(): 1}


def _as_yaml(text: str) -> str:
    """Return JSON as YAML reads it: a tab can stand only between JSON's tokens, and YAML wants blanks."""
    return text.replace("\t", " ")


def _text(file: str, raw: bytes) -> str:
    try:
        return raw.decode().removeprefix(_BOM)
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise FolderErrors([FolderError(file, line, "file", "is not UTF-8")]) from err


def _unreadable(file: str, reason: str) -> FolderErrors:
    return FolderErrors([FolderError(file, 1, "file", reason)])
