"""Read recorded files as columns, many rows at a time.

Each different cell is read once, by what reads the cells of a row; a row with a cell that is not plain is
read as a row. So both ways find the same readings, and the same faults.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from municipio.blocks import ODD, Block, Flags, Ints, Name, joined, us_of
from municipio.chunks import Chunk, chunks
from municipio.profiles import check_header, opened
from municipio.rows import (
    BrokenRow,
    Cells,
    Findings,
    Recorded,
    cell_of,
    moment_of,
    number_of,
    read_row,
    sensor_of,
    stated,
)
from municipio.wall_clock import Ambiguous
from schemas.municipality.profile import Profile

KNOWN_MOST: Final = 100_000
SORTED_MOST: Final = 2_000_000
"""Readings that are sorted in memory, for which it takes some 150 bytes each; more are sorted on the disk."""
SORTED_ROWS: Final = 20_000
_MISSING, _NO_NUMBER, _NO_TIME = math.inf, math.nan, np.iinfo(np.int64).min


class NotInOrder(Exception):
    """The rows must be sorted before they are played."""


class NotInColumns(Exception):
    """The rows must be read one by one."""


Read = Callable[[Sequence[Path], Profile, Findings], Iterator[Block]]


def in_turn(files: Sequence[Path], form: Profile, findings: Findings) -> Iterator[Block]:
    """Yield the readings of files of which each begins after another has ended, oldest first.

    A moment stands whole in one block. What is wrong with a row stands in ``findings``.

    Raises:
        FileUnreadable: A file cannot be opened or lacks a column that the profile names.
        NotInOrder: A file is not in order, or two overlap.
        NotInColumns: Two readings of one clock are not told apart by the row alone, or a reading is played at
            another time than its own.
    """
    reader = _Reader(files, form, findings)
    streams = [
        (first, rest) for place in range(len(files)) if (first := next(rest := reader.blocks(place), None))
    ]
    held: list[Block] = []
    for first, rest in sorted(streams, key=lambda stream: int(stream[0].at_us.min())):
        if held and first.at_us[0] <= held[0].at_us[-1]:
            raise NotInOrder  # Of two files it shows in no order which row of one moment came first.
        for more in chain([first], rest):
            block = joined([*held, more]) if held else more
            if not block.is_in_order:
                raise NotInOrder
            end = block.whole_moments()
            held = [block.some(slice(end, None))]
            if end:
                yield block.some(slice(end))
    yield from held


def at_once(files: Sequence[Path], form: Profile, findings: Findings) -> Iterator[Block]:
    """Yield the readings of files in whatever order they stand, sorted in memory; else as ``in_turn``.

    Raises:
        NotInColumns: Also when there are too many.
    """
    reader, blocks, count = _Reader(files, form, findings), list[Block](), 0
    for block in chain.from_iterable(map(reader.blocks, range(len(files)))):
        blocks.append(block)
        count += len(block)
        if count > SORTED_MOST:
            raise NotInColumns
    if not blocks:
        return
    whole, begin = joined(blocks).in_order(), 0
    blocks.clear()
    while begin < len(whole):
        last_us = whole.at_us[min(begin + SORTED_ROWS, len(whole)) - 1]
        end = int(whole.at_us.searchsorted(last_us, "right"))
        yield whole.some(slice(begin, end))
        begin = end


K = TypeVar("K")
V = TypeVar("V")


class _Once(dict[K, V]):
    """What cells mean; each different one is read when it is first met."""

    def __init__(self, read: Callable[[K], V]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: K) -> V:
        if len(self) > KNOWN_MOST:
            self.clear()
        meaning = self[cell] = self._read(cell)
        return meaning


class _Reader:
    """Makes blocks of files."""

    def __init__(self, files: Sequence[Path], form: Profile, findings: Findings) -> None:
        self._paths, self._form, self._findings = files, form, findings
        self._files = [path.name for path in files]
        self._values, self._times = _Once(self._value), _Once(self._time)
        self._names: list[Name] = []
        self._known: dict[Name, int] = {}

    def blocks(self, file: int) -> Iterator[Block]:
        """Yield the readings of a file as they stand in it."""
        path, form = self._paths[file], self._form
        with opened(path, form) as text:
            reader = csv.DictReader(text, delimiter=form.delimiter)
            header = list(reader.fieldnames or ())
            check_header(path, header, form, self._findings)
            if form.received_at is not None and form.received_at.column in header:
                raise NotInColumns
            position = 0
            for chunk in chunks(text, header, form.delimiter, reader.line_num):
                block, before, position = self._block(file, header, chunk), position, text.buffer.tell()
                self._findings.bytes_read += position - before
                if len(block):
                    yield block

    def _block(self, file: int, header: Sequence[str], chunk: Chunk) -> Block:
        form, count = self._form, len(chunk.numbers)
        columns = dict(zip(header, chunk.cells, strict=True))
        self._findings.rows += count + len(chunk.others)
        value = np.fromiter(map(self._values.__getitem__, columns[form.value.column]), np.float64, count)
        at_us = np.fromiter(map(self._times.__getitem__, columns[form.observed_at.column]), np.int64, count)
        series = self._series_of(columns, count)
        missing = np.isinf(value)
        odd = (np.isnan(value) | (at_us == _NO_TIME) | (series == ODD)) & ~missing
        for column in (form.quality_column, form.sequence_column):
            if column in columns:
                odd |= self._says_more(columns[column], column) & ~missing
        self._findings.missing += int(missing.sum())
        plain = np.flatnonzero(~(missing | odd))
        places = np.full(len(plain), file, np.int64)
        numbers = chunk.numbers[plain]
        block = Block(
            self._names, self._files, at_us[plain], series[plain], value[plain], places, numbers, {}
        )
        rows: list[tuple[int, Cells]] = [
            (int(chunk.numbers[at]), {column: cells[at] for column, cells in columns.items()})
            for at in np.flatnonzero(odd)
        ]
        rows += chunk.others
        return self._with_odd(block, file, sorted(rows, key=lambda each: each[0])) if rows else block

    def _with_odd(self, block: Block, file: int, rows: Iterable[tuple[int, Cells]]) -> Block:
        """Read rows as rows; those that are readings after all stand among the plain ones."""
        odd = {(file, number): row for number, cells in rows if (row := self._read(file, number, cells))}
        none = np.full(len(odd), ODD, np.int64)
        at_us = np.array([us_of(row.at) for row in odd.values()], np.int64)
        numbers = np.array([number for _, number in odd], np.int64)
        files = np.full(len(odd), file, np.int64)
        nothing = np.full(len(odd), np.nan)
        both = joined([block, Block(self._names, self._files, at_us, none, nothing, files, numbers, odd)])
        return both.some(np.argsort(both.row, kind="stable"))

    def _read(self, file: int, number: int, cells: Cells) -> Recorded | None:
        row = read_row(self._files[file], number, cells, self._form)
        if isinstance(row, Ambiguous):
            raise NotInColumns
        if isinstance(row, BrokenRow):
            self._findings.add(row)
            return None
        if row is None:
            self._findings.missing += 1
        return row

    def _value(self, cell: str) -> float:
        column = self._form.value.column
        try:
            raw = cell_of({column: cell}, column)
            return _MISSING if raw in self._form.missing else number_of(raw, self._form.value)
        except ValueError:
            return _NO_NUMBER

    def _time(self, cell: str) -> int:
        try:
            us = us_of(moment_of(cell.strip(), self._form.observed_at))
        except ValueError:
            return int(_NO_TIME)
        return us if _FIRST_US <= us <= _LAST_US else int(_NO_TIME)

    def _series_of(self, columns: Mapping[str, list[str]], count: int) -> Ints:
        form = self._form
        named = [form.sensor_column, form.property_column, form.unit_column]
        said = [columns[column] for column in named if column is not None]
        telling = [cells for cells in said if count and cells.count(cells[0]) != count]
        if not telling:
            return np.full(count, self._series_at(columns, 0) if count else ODD, np.int64)
        keys: Sequence[object] = telling[0] if len(telling) == 1 else list(zip(*telling, strict=True))
        series: _Once[object, int] = _Once(lambda key: self._series_at(columns, keys.index(key)))
        return np.fromiter(map(series.__getitem__, keys), np.int64, count)

    def _series_at(self, columns: Mapping[str, list[str]], place: int) -> int:
        form, row = self._form, {column: cells[place] for column, cells in columns.items()}
        try:
            name = Name(
                sensor_of(row, form),
                stated(row, form.property_column, form.property, "property"),
                stated(row, form.unit_column, form.unit, "unit"),
            )
        except ValueError:
            return ODD
        if name not in self._known:
            self._known[name] = len(self._names)
            self._names.append(name)
        return self._known[name]

    def _says_more(self, cells: list[str], column: str | None) -> Flags:
        """Say where a cell means anything: a quality other than good, a number that is not one."""
        is_quality = column == self._form.quality_column
        plain = {cell: _is_good(cell) if is_quality else _is_number(cell) for cell in set(cells)}
        return ~np.fromiter(map(plain.__getitem__, cells), np.bool_, len(cells))


_FIRST_US: Final = us_of(datetime.min.replace(tzinfo=UTC))
_LAST_US: Final = us_of(datetime.max.replace(tzinfo=UTC))


def _is_good(cell: str) -> bool:
    return cell.strip() in ("", "good")


def _is_number(cell: str) -> bool:
    """Say whether a sequence number is there and fits 64 bits, or is not there."""
    text = cell.strip()
    return not text or (text.isascii() and text.isdigit() and len(text) < len("9223372036854775807"))
