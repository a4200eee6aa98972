"""What time it is, from one place: the database in production, the town's clock everywhere else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from services.runtime.errors import Retriable, WrongSetting

if TYPE_CHECKING:
    from services.runtime.database import Database
    from services.runtime.settings import RuntimeSettings

MAX_RATE = 100_000.0
REFRESH_S = 2.0


class Clock(Protocol):
    """The clock port. ``generation`` changes whenever the clock jumped instead of running on."""

    @property
    def generation(self) -> int: ...

    def now(self) -> datetime:
        """Return the present moment, UTC-aware."""
        ...


class SystemClock:
    """The machine's own clock."""

    generation = 0

    def now(self) -> datetime:
        return datetime.now(UTC)


class HandClock:
    """A clock of one process that only moves by hand; for tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self.generation = 0

    def now(self) -> datetime:
        return self._now

    def set(self, moment: datetime) -> None:
        self._now = moment.astimezone(UTC)
        self.generation += 1

    def wait(self, duration: timedelta) -> None:
        self.set(self._now + duration)


class TownClock:
    """A clock that all services follow through one small file; refused in production.

    The file says which town time (``base_town``) it was at which real time (``base_real``) and how many
    town seconds pass in a real one (``rate``; 0 stands still until moved). It is replaced atomically.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._base_town = datetime.now(UTC)
        self._base_real = self._base_town.timestamp()
        self._rate = 1.0
        self._generation = 0
        self._follow()

    @property
    def generation(self) -> int:
        self._follow()
        return self._generation

    @property
    def rate(self) -> float:
        self._follow()
        return self._rate

    def now(self) -> datetime:
        self._follow()
        return self._base_town + timedelta(seconds=(time.time() - self._base_real) * self._rate)

    def _follow(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return  # Not written yet, or being replaced on a file system without atomic rename.
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen == self._seen:
            return
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._read(json.loads(self._path.read_text()))
            self._seen = seen

    def _read(self, said: dict[str, object]) -> None:
        town = datetime.fromisoformat(str(said["base_town"])).astimezone(UTC)
        real, rate = float(str(said["base_real"])), float(str(said["rate"]))
        self._base_town, self._base_real, self._rate = town, real, rate
        self._generation = int(str(said["generation"]))

    @staticmethod
    def write(path: Path, now: datetime, rate: float = 1.0) -> int:
        """Make every follower read ``now`` from this moment on; return the new generation.

        Raises:
            ValueError: ``now`` is naive, or ``rate`` is negative or above 100,000.
        """
        if now.tzinfo is None:
            raise ValueError("now: a naive time has no meaning, give it an offset")
        if not 0 <= rate <= MAX_RATE:
            raise ValueError(f"rate: must lie between 0 and {MAX_RATE:g}")
        generation = _generation_in(path) + 1
        said = {
            "base_town": now.astimezone(UTC).isoformat(timespec="microseconds"),
            "base_real": time.time(),
            "rate": rate,
            "generation": generation,
        }
        _replace(path, json.dumps(said))
        return generation


def _generation_in(path: Path) -> int:
    try:
        return int(json.loads(path.read_text())["generation"])
    except (OSError, ValueError, KeyError):
        return 0


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).chmod(0o644)
    Path(name).replace(path)


class DatabaseClock:
    """The database's clock, carried on by this machine's monotonic clock between two looks.

    A step of this machine's own clock changes nothing; a database clock that steps by more than a
    second counts as a jump. On SQLite the database's clock is the machine's as it stood at the start.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._anchor = datetime.now(UTC)
        self._anchored_s = time.monotonic()
        self.generation = 0
        self.stepped_s = 0.0

    def now(self) -> datetime:
        return self._anchor + timedelta(seconds=time.monotonic() - self._anchored_s)

    async def refresh(self) -> None:
        """Look at the database's clock again; small differences are taken over silently."""
        before_s = time.monotonic()
        said = await self._db.clock()
        if said is None:
            return
        after_s = time.monotonic()
        expected = self._anchor + timedelta(seconds=(before_s + after_s) / 2 - self._anchored_s)
        self.stepped_s = (said - expected).total_seconds()
        if abs(self.stepped_s) > 1:
            self.generation += 1
        self._anchor, self._anchored_s = said, (before_s + after_s) / 2


def clock_for(settings: RuntimeSettings, db: Database) -> Clock:
    """Return the clock that the settings ask for.

    Raises:
        WrongSetting: A town clock in production.
    """
    if settings.town_clock_file is None:
        return DatabaseClock(db) if settings.is_production else SystemClock()
    if settings.is_production:
        raise WrongSetting("MUNICIPIO_TOWN_CLOCK_FILE: a town clock is refused in production")
    return TownClock(settings.town_clock_file)


async def keep_right(clock: Clock) -> None:
    """Refresh a database clock for ever; a part of every process, idle with other clocks."""
    while True:
        if isinstance(clock, DatabaseClock):
            with contextlib.suppress(Retriable):
                await clock.refresh()
        await asyncio.sleep(REFRESH_S)
