"""Read a recorded file as columns, many rows at a time, where it stands in the order of its times.

Each different cell is read once, by what reads the cells of a row; a row with a cell that is not plain is
read as a row. So both ways find the same readings, and the same faults.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from municipio.blocks import ODD, Block, Ints, Name, us_of
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
_MISSING, _NO_NUMBER, _NO_TIME = math.inf, math.nan, np.iinfo(np.int64).min


class NotInOrder(Exception):
    """The rows of a file must be sorted, or told apart by their order, before they are played."""


def in_turn(files: Sequence[Path], form: Profile, findings: Findings) -> Iterator[Block]:
    """Yield the readings of files of which each begins after another has ended, oldest first.

    Raises:
        FileUnreadable: A file cannot be opened or lacks a column that the profile names.
        NotInOrder: A file is not in order, or two overlap.
    """
    streams = [(first, rest) for path in files if (first := next(rest := blocks(path, form, findings), None))]
    ended_us: int | None = None
    for first, rest in sorted(streams, key=lambda stream: int(stream[0].at_us[0])):
        for block in chain([first], rest):
            if ended_us is not None and int(block.at_us[0]) <= ended_us:
                raise NotInOrder
            ended_us = int(block.at_us[-1])
            yield block


def blocks(path: Path, form: Profile, findings: Findings) -> Iterator[Block]:
    """Yield the readings of a file; what is wrong with a row stands in ``findings``.

    Raises:
        FileUnreadable: It cannot be opened or lacks a column that the profile names.
        NotInOrder: A reading is older than one before it, or is played at another time than its own.
    """
    with opened(path, form) as file:
        reader = csv.DictReader(file, delimiter=form.delimiter)
        header = list(reader.fieldnames or ())
        check_header(path, header, form, findings)
        if form.received_at is not None and form.received_at.column in header:
            raise NotInOrder
        read = _Reader(path.name, header, form, findings)
        held, position = None, 0
        for chunk in chunks(file, header, form.delimiter, reader.line_num):
            block, before, position = read.block(chunk), position, file.buffer.tell()
            findings.bytes_read += position - before
            if held is not None and len(held):
                block = held.with_more(block)
            if (block.at_us[1:] < block.at_us[:-1]).any():
                raise NotInOrder
            whole, held = block.cut()
            if len(whole):
                yield whole
        if held is not None and len(held):
            yield held


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
    """Makes blocks of chunks."""

    def __init__(self, file: str, header: list[str], form: Profile, findings: Findings) -> None:
        self._file, self._header, self._form, self._findings = file, header, form, findings
        self._place = {column: place for place, column in enumerate(header)}
        self._values, self._times = _Once(self._value), _Once(self._time)
        self._names: list[Name] = []
        self._known: dict[Name, int] = {}

    def block(self, chunk: Chunk) -> Block:
        cells, count = chunk.cells, len(chunk.numbers)
        self._findings.rows += count + len(chunk.others)
        values, times = (
            self._column(cells, each.column) for each in (self._form.value, self._form.observed_at)
        )
        value = np.fromiter(map(self._values.__getitem__, values), np.float64, count)
        at_us = np.fromiter(map(self._times.__getitem__, times), np.int64, count)
        series = self._series_of(cells, count)
        missing = np.isinf(value)
        odd = (np.isnan(value) | (at_us == _NO_TIME) | (series == ODD)) & ~missing
        for column in (self._form.quality_column, self._form.sequence_column):
            if column in self._place:
                odd |= self._says_more(self._column(cells, column), column) & ~missing
        self._findings.missing += int(missing.sum())
        plain = np.flatnonzero(~(missing | odd))
        block = Block(
            self._names,
            at_us[plain],
            series[plain],
            value[plain],
            chunk.numbers[plain],
            plain,
            cells,
            {},
            self._as_row,
        )
        others = [
            *(
                (int(chunk.numbers[at]), self._cells([column[at] for column in cells]))
                for at in np.flatnonzero(odd)
            ),
            *chunk.others,
        ]
        return self._with_odd(block, sorted(others, key=lambda each: each[0])) if others else block

    def _with_odd(self, block: Block, others: Iterable[tuple[int, Cells]]) -> Block:
        """Read rows as rows; those that are readings after all stand among the plain ones."""
        odd = {number: row for number, cells in others if (row := self._read(number, cells)) is not None}
        none = np.full(len(odd), ODD, np.int64)
        at_us = np.array([us_of(row.at) for row in odd.values()], np.int64)
        numbers = np.array(list(odd), np.int64)
        added = Block(
            self._names,
            at_us,
            none,
            np.full(len(odd), np.nan),
            numbers,
            none,
            [[] for _ in self._header],
            odd,
            self._as_row,
        )
        both = block.with_more(added)
        order = np.argsort(both._numbers, kind="stable")
        both.at_us, both.series, both.value = both.at_us[order], both.series[order], both.value[order]
        both._numbers, both._places = both._numbers[order], both._places[order]
        return both

    def _read(self, number: int, cells: Cells) -> Recorded | None:
        row = read_row(self._file, number, cells, self._form)
        if isinstance(row, Ambiguous):
            raise NotInOrder
        if isinstance(row, BrokenRow):
            self._findings.add(row)
            return None
        if row is None:
            self._findings.missing += 1
        return row

    def _as_row(self, number: int, cells: list[str]) -> Recorded:
        row = read_row(self._file, number, self._cells(cells), self._form)
        if not isinstance(row, Recorded):
            raise TypeError(f"{self._file}:{number} was a reading, and is none")
        return row

    def _cells(self, cells: list[str]) -> Cells:
        return dict(zip(self._header, cells, strict=True))

    def _column(self, cells: list[list[str]], column: str) -> list[str]:
        return cells[self._place[column]]

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

    def _series_of(self, cells: list[list[str]], count: int) -> Ints:
        form = self._form
        named = [
            name for name in (form.sensor_column, form.property_column, form.unit_column) if name is not None
        ]
        columns = [self._column(cells, name) for name in named]
        telling = [column for column in columns if count and column.count(column[0]) != count]
        if not telling:
            return np.full(count, self._series_at(cells, 0) if count else ODD, np.int64)
        keys: Sequence[object] = telling[0] if len(telling) == 1 else list(zip(*telling, strict=True))
        series: _Once[object, int] = _Once(lambda key: self._series_at(cells, keys.index(key)))
        return np.fromiter(map(series.__getitem__, keys), np.int64, count)

    def _series_at(self, cells: list[list[str]], place: int) -> int:
        form, row = self._form, {column: cells[at][place] for column, at in self._place.items()}
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

    def _says_more(self, cells: list[str], column: str | None) -> NDArray[np.bool_]:
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
