"""Split a recorded file into its columns, many rows at a time; what is not plain is left to ``csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from municipio.rows import Cells

if TYPE_CHECKING:
    from _csv import Reader

FIRST_CHARS: Final = 1 << 14
"""Little at first: a file may wait for its turn behind others."""
CHUNK_CHARS: Final = 1 << 18
CSV_ROWS: Final = 16_384


class Chunk(NamedTuple):
    """Rows as wide as the header, by column, and beside them the others, each with its number."""

    cells: list[list[str]]
    numbers: NDArray[np.int64]
    others: list[tuple[int, Cells]]


def chunks(file: TextIO, header: Sequence[str], delimiter: str, line: int) -> Iterator[Chunk]:
    """Yield the rows after line ``line``: split where they are plain, by csv from the first that is not."""
    rest, chars = "", FIRST_CHARS
    while text := file.read(chars):
        chars = CHUNK_CHARS
        text = rest + text
        end = text.rfind("\n") + 1
        cells = _split(text[:end], len(header), delimiter)
        if cells is None:
            rest = text + file.readline()
            break
        rest, count = text[end:], len(cells[0])
        yield Chunk(cells, np.arange(line + 1, line + 1 + count), [])
        line += count
    yield from _by_csv(chain(io.StringIO(rest, newline=""), file), header, delimiter, line)


def _split(text: str, width: int, delimiter: str) -> list[list[str]] | None:
    """Return the columns of a text, None where csv must look: a quote, a row that is not ``width`` wide."""
    if '"' in text or delimiter in '"\r\n' or not text:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    step = csv.field_size_limit() // 2
    if "\r" in text or any("\n" not in text[at : at + step] for at in range(0, len(text) - step, step)):
        return None
    flat = text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    count = text.count("\n")
    if len(flat) != count * (width + 1) + 1 or flat[width :: width + 1].count("\n") != count:
        return None
    return [flat[place : -1 : width + 1] for place in range(width)]


def _by_csv(lines: Iterable[str], header: Sequence[str], delimiter: str, line: int) -> Iterator[Chunk]:
    reader = csv.reader(lines, delimiter=delimiter)
    is_over = False
    while not is_over:
        numbers: list[int] = []
        rows: list[list[str]] = []
        others: list[tuple[int, Cells]] = []
        for number, row in islice(_numbered(reader), CSV_ROWS):
            if not isinstance(row, str) and len(row) == len(header):
                numbers.append(line + number)
                rows.append(row)
            elif row:
                others.append((line + number, row if isinstance(row, str) else _by_column(header, row)))
        is_over = not rows and not others
        cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in header]
        yield Chunk(cells, np.array(numbers, np.int64), others)


def _numbered(reader: Reader) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row that is not blank with the number of its last line, or why it cannot be read."""
    while True:
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as err:
            yield reader.line_num, str(err)
        else:
            return


def _by_column(header: Sequence[str], row: Sequence[str]) -> Cells:
    """Return the cells of a row that is shorter or longer than the header."""
    return dict(zip_longest(header, row[: len(header)]))
