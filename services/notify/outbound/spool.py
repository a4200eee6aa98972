"""The door's own store: what the carrier told us, on the disk before it hears that we have it.

One SQLite file, one process, ``synchronous=FULL``. Requests that arrive together are committed together,
so a storm of callbacks costs few flushes. Rows are kept until notify has taken them; then the words and
numbers are wiped at once, and the ids stay for two days to recognise what comes again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from services.runtime.errors import DatabaseBusy

REMEMBERED = timedelta(days=2)
MOST_PER_COMMIT = 500
T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS received (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    received_at TEXT NOT NULL,
    url TEXT NOT NULL,
    form TEXT NOT NULL,
    taken_at TEXT
);
CREATE INDEX IF NOT EXISTS received_waiting ON received (seq) WHERE taken_at IS NULL;
CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, at TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A verified request.

    Attributes:
        id: The same for the same request made again.
        kind: ``message-status``, ``message-in``, ``voice`` or ``link``.
        url: Path and query as they were signed.
        form: Every field with all its values.
    """

    id: str
    kind: str
    received_at: datetime
    url: str
    form: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Spooled:
    seq: int
    request: Request


class Spool:
    """Opened once per process; every call is safe from the event loop.

    Args:
        path: The file; created when absent, readable by its owner only.

    Raises:
        sqlite3.Error: The file cannot be opened or is no database.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")  # What is wiped must not stay readable in free pages.
        self._db.executescript(_TABLES)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._waiting: list[tuple[Request, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def add(self, request: Request) -> bool:
        """Keep a request; return once it is on the disk. False: it was there already.

        Raises:
            DatabaseBusy: It could not be stored (disk full, locked); nothing of it was kept.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, stored))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await stored

    async def after(self, seq: int, limit: int, wait_s: float = 0) -> list[Spooled]:
        """Return in order what notify has not taken yet; where nothing is, wait that long for something."""
        self._news.clear()
        found = await self._run(lambda: self._read(seq, limit))
        if found or wait_s <= 0:
            return found
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return []
        return await self._run(lambda: self._read(seq, limit))

    async def take(self, ids: Sequence[str]) -> int:
        """Wipe what notify has in its own database; return how many rows that were.

        Raises:
            DatabaseBusy: It could not be written (disk full, locked); nothing was wiped.
        """
        try:
            return await self._run(lambda: self._wipe(ids))
        except sqlite3.Error as err:
            raise _busy(err) from err

    async def knows(self, id_: str) -> bool:
        """Say whether a request was kept, or is remembered to have been."""
        known = "SELECT 1 FROM received WHERE id = ?"
        return await self._run(lambda: self._db.execute(known, (id_,)).fetchone() is not None)

    async def waiting(self) -> int:
        count = "SELECT count(*) FROM received WHERE taken_at IS NULL"
        return await self._run(lambda: int(self._db.execute(count).fetchone()[0]))

    async def prune(self) -> int:
        """Forget ids taken more than two days ago; return how many."""
        before = (datetime.now(UTC) - REMEMBERED).isoformat()
        return await self._run(
            lambda: self._db.execute("DELETE FROM received WHERE taken_at < ?", (before,)).rowcount
        )

    async def probe(self) -> None:
        """Write something for certain, as a request would be.

        Raises:
            sqlite3.Error: The disk or the file takes nothing.
        """
        await self._run(self._touch)

    async def close(self) -> None:
        """Write what was accepted and close the file."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self._run(self._db.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_PER_COMMIT], self._waiting[MOST_PER_COMMIT:]
            try:
                stored = await self._run(lambda batch=batch: self._insert(each for each, _ in batch))  # type: ignore[misc]  # mypy infers no lambda with a default
            except sqlite3.Error as err:
                _fail(batch, err)
                continue
            for (_, done), is_new in zip(batch, stored, strict=True):
                if not done.done():
                    done.set_result(is_new)
            self._news.set()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _insert(self, requests: Iterable[Request]) -> list[bool]:
        stored: list[bool] = []
        with self._transaction():
            for each in requests:
                done = self._db.execute(
                    "INSERT INTO received (id, kind, received_at, url, form) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO NOTHING",
                    (each.id, each.kind, each.received_at.isoformat(), each.url, json.dumps(each.form)),
                )
                stored.append(done.rowcount == 1)
        return stored

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is written inside, or leave nothing open: the next writer must be able to begin."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _read(self, seq: int, limit: int) -> list[Spooled]:
        rows = self._db.execute(
            "SELECT seq, id, kind, received_at, url, form FROM received"
            " WHERE taken_at IS NULL AND seq > ? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return [
            Spooled(number, Request(id_, kind, datetime.fromisoformat(at), url, json.loads(form)))
            for number, id_, kind, at, url, form in rows
        ]

    def _wipe(self, ids: Sequence[str]) -> int:
        now = datetime.now(UTC).isoformat()
        with self._transaction():
            return self._db.executemany(
                "UPDATE received SET taken_at = ?, form = '{}', url = '' WHERE id = ? AND taken_at IS NULL",
                [(now, each) for each in ids],
            ).rowcount

    def _touch(self) -> None:
        with self._transaction():
            now = datetime.now(UTC).isoformat()
            self._db.execute("INSERT OR REPLACE INTO written (id, at) VALUES (1, ?)", (now,))


def _busy(err: sqlite3.Error) -> DatabaseBusy:
    return DatabaseBusy(f"the spool takes nothing: {type(err).__name__}")


def _fail(batch: Sequence[tuple[Request, asyncio.Future[bool]]], err: sqlite3.Error) -> None:
    for _, done in batch:
        if not done.done():
            done.set_exception(_busy(err))
