"""Read recorded files as a profile says, oldest first; broken rows aside with their number and reason."""

from __future__ import annotations

import csv
import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import IO, Final, TextIO

from municipio.errors import WrongUse
from municipio.rows import BrokenRow, Cells, FileUnreadable, Findings, Recorded, read_row
from municipio.wall_clock import Ambiguous, SetBack
from schemas.municipality import FolderErrors, load_profile
from schemas.municipality.profile import Order, Profile

CANONICAL: Final = Profile.model_validate(
    {
        "id": "canonical",
        "description": "observed_at,sensor_id,property,value,unit[,sequence,quality,received_at]",
        "order": "any",
        "observed_at": {"column": "observed_at"},
        "value": {"column": "value"},
        "sensor_column": "sensor_id",
        "property_column": "property",
        "unit_column": "unit",
        "sequence_column": "sequence",
        "quality_column": "quality",
        "received_at": {"column": "received_at"},
    }
)
RUN_ROWS: Final = 100_000


def profile_named(name: str, town_folder: Path) -> Profile:
    """Return the profile in a file, or the one of this name in the town's folder.

    Raises:
        WrongUse: There is none, or it cannot be used; the message names file and line.
    """
    choices = [Path(name), town_folder / "profiles" / f"{name}.yaml"]
    path = next((path for path in choices if path.is_file()), None)
    if path is None:
        known = ", ".join(sorted(each.stem for each in (town_folder / "profiles").glob("*.yaml")))
        raise WrongUse(f"--profile: {name} is no file and no profile of the town; it has: {known or 'none'}.")
    try:
        return load_profile(path)
    except FolderErrors as err:
        raise WrongUse(str(err)) from err


def recorded(files: Sequence[Path], profile: Profile | None, findings: Findings) -> Iterator[Recorded]:
    """Yield the readings of all files in the order in which they are played; duplicates stay.

    Memory stays bounded: files that are not in order are sorted in runs on the disk.

    Raises:
        FileUnreadable: A file cannot be opened or lacks a column that the profile names.
    """
    form = profile or CANONICAL
    with ExitStack() as stack:
        streams = [_played(path, form, findings, stack) for path in files]
        yield from streams[0] if len(streams) == 1 else heapq.merge(*streams, key=played_at)


def in_file_order(path: Path, profile: Profile | None, findings: Findings) -> Iterator[Recorded]:
    """Yield the readings of one file as they stand in it.

    Raises:
        FileUnreadable: It cannot be opened or lacks a column that the profile names.
    """
    return _rows(path, profile or CANONICAL, findings)


def played_at(reading: Recorded) -> tuple[object, ...]:
    """Order by time, then by what is said: a file that was shuffled plays the same."""
    said = reading.body
    return reading.at, said["observed_at"], said["sensor_id"], said["property"], said["value"]


def _played(path: Path, form: Profile, findings: Findings, stack: ExitStack) -> Iterator[Recorded]:
    rows = _rows(path, form, findings)
    if not _stands_in_order(path, form):
        return _in_order(rows, stack)
    same_time = groupby(rows, key=attrgetter("at"))
    return (reading for _, together in same_time for reading in sorted(together, key=played_at))


def _stands_in_order(path: Path, form: Profile) -> bool:
    """Say whether a file plays as it stands: times that are text of one form, never falling.

    A look at one column costs a tenth of sorting an archive on the disk.
    """
    if form.observed_at.format is not None or form.observed_at.time_zone is not None:
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=form.delimiter)
            header = next(rows, [])
            if form.received_at is not None and form.received_at.column in header:
                return False
            column = header.index(form.observed_at.column)
            before = next(rows)[column]
            shape = _shape(before)
            for row in rows:
                at = row[column]
                if at < before or _shape(at) != shape:
                    return False
                before = at
    except (OSError, UnicodeDecodeError, csv.Error, IndexError, ValueError, StopIteration):
        return False  # Whatever is wrong with it is said when it is read.
    return True


def _shape(moment: str) -> tuple[int, str, str]:
    """Return what two times must share to stand in the order of their texts."""
    return len(moment), moment[len("2024-05-02") : len("2024-05-02T")], moment[len("2024-05-02T13:15:00") :]


def _in_order(rows: Iterable[Recorded], stack: ExitStack) -> Iterator[Recorded]:
    runs: list[Iterable[Recorded]] = []
    source = iter(rows)
    while run := sorted(islice(source, RUN_ROWS), key=played_at):
        runs.append(run if len(run) < RUN_ROWS else _spilled(run, stack))
    return heapq.merge(*runs, key=played_at)


def _spilled(run: Sequence[Recorded], stack: ExitStack) -> Iterator[Recorded]:
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
    for reading in run:
        pickle.dump(reading, file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _unspilled(file, len(run))


def _unspilled(file: IO[bytes], count: int) -> Iterator[Recorded]:
    for _ in range(count):
        reading: Recorded = pickle.load(file)  # noqa: S301 - our own temporary file, unlinked since it was made
        yield reading


def opened(path: Path, form: Profile) -> TextIO:
    """Open a file as its profile says; what is not in its encoding is marked, and refused cell by cell.

    Raises:
        FileUnreadable: It cannot be opened.
    """
    encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
    try:
        return path.open(encoding=encoding, errors="replace", newline="")
    except OSError as err:
        raise FileUnreadable(f"{path}: cannot be opened: {err.strerror}") from err


def _rows(path: Path, form: Profile, findings: Findings) -> Iterator[Recorded]:
    with opened(path, form) as file:
        reader = csv.DictReader(file, delimiter=form.delimiter, restkey="…")
        check_header(path, reader.fieldnames or (), form, findings)
        twice = SetBack(form.order is Order.NEWEST_FIRST)
        for row, cells in _cells(reader):
            findings.rows += 1
            reading = read_row(path.name, row, cells, form)
            if isinstance(reading, Ambiguous):
                twice.add(reading.naive, reading.sensor, (row, cells))
            elif (good := _sorted_out(reading, findings)) is not None:
                yield good
        for (row, cells), fold in twice.told_apart(is_ordered=form.order is not Order.ANY):
            reading = read_row(path.name, row, cells, form, fold=fold)
            if isinstance(reading, Ambiguous):
                findings.add(BrokenRow(path.name, row, f"{form.observed_at.column}: {reading}"))
            elif (good := _sorted_out(reading, findings)) is not None:
                yield good


def _sorted_out(reading: Recorded | BrokenRow | None, findings: Findings) -> Recorded | None:
    if isinstance(reading, BrokenRow):
        findings.add(reading)
        return None
    if reading is None:
        findings.missing += 1
    return reading


def _cells(reader: csv.DictReader[str]) -> Iterator[tuple[int, Cells]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            yield reader.line_num, str(err)
            continue
        yield reader.line_num, cells


def check_header(path: Path, header: Sequence[str], form: Profile, findings: Findings) -> None:
    """Note the columns that nobody reads.

    Raises:
        FileUnreadable: One that the profile names is not there.
    """
    wanted = [form.observed_at.column, form.value.column]
    wanted += [c for c in (form.sensor_column, form.property_column, form.unit_column) if c is not None]
    may = [form.sequence_column, form.quality_column, form.received_at.column if form.received_at else None]
    unknown = [column for column in header if column not in {*wanted, *may}]
    findings.unknown_columns += [each for each in unknown if each not in findings.unknown_columns]
    absent = [column for column in wanted if column not in header]
    if absent:
        found = ", ".join(header) or "nothing"
        raise FileUnreadable(
            f"{path}: profile {form.id} expects the column(s) {', '.join(absent)}; the file has {found}"
        )
