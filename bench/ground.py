"""What a benchmark stands on: a fresh broker, a fresh PostgreSQL and a folder, gone when it is over."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tests.support.kafka import KafkaCluster, kafka_cluster
from tests.support.postgres import PostgresCluster, postgres_cluster

T = TypeVar("T")


class Ground:
    """Of one benchmark. What is not asked for is not started.

    Attributes:
        kept: What ``prepare`` leaves for the sides.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self.kept: dict[str, Any] = {}

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def hold(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that lasts as long as the ground."""
        return self._held.enter_context(context)

    @cached_property
    def folder(self) -> Path:
        """A folder on the disk of the checkout, as a service's own data would be."""
        var = Path("var/bench")
        var.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=var)).resolve()
        self._held.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def kafka(self) -> KafkaCluster:
        """A real Apache Kafka with all topics."""
        return self._held.enter_context(kafka_cluster())

    @cached_property
    def postgres(self) -> PostgresCluster:
        """A real PostgreSQL that syncs its log to the disk, as a town's would."""
        return self._held.enter_context(postgres_cluster(fsync=True))

    def new_database(self) -> str:
        """Return the URL of an empty PostgreSQL database; it goes with the server."""
        from sqlalchemy.engine import make_url

        from tests.support.postgres import run_sql

        number = self.kept["databases"] = self.kept.get("databases", 0) + 1
        name = f"bench_{number}"
        asyncio.run(run_sql(self.postgres.url, f"CREATE DATABASE {name}"))
        return make_url(self.postgres.url).set(database=name).render_as_string(hide_password=False)
