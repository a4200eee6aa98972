"""SQLite serves one process per service: a second one is refused in one sentence."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from services.runtime.errors import AlreadyRunning


class SingleProcess:
    """Holds ``<path>.lock`` as long as the process lives; the kernel lets go when it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._handle: int | None = None

    def __enter__(self) -> SingleProcess:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            os.close(handle)
            raise AlreadyRunning(
                f"another process already uses {self._path.with_suffix('').name}: SQLite serves one process "
                "per service; stop it, or set MUNICIPIO_DATABASE_URL to a PostgreSQL server"
            ) from err
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
