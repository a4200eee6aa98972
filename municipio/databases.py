"""Give each service its own schema and role on one PostgreSQL server; its URL goes to a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from municipio.errors import DependencyDown
from municipio.paths import write_private


def provision(database_url: str, url_files: Mapping[str, Path], secret: str) -> None:
    """Make schema and role per service where they are missing, and write each URL to its file.

    ``secret``: the roles' passwords are derived from it, so that a second start changes none of them.

    Raises:
        DependencyDown: The server does not answer or does not let us in.
    """
    import asyncio

    import asyncpg

    from services.runtime.provision import provision as make

    try:
        urls = asyncio.run(make(database_url, tuple(url_files), secret=secret))
    except (OSError, TimeoutError, asyncpg.PostgresError) as err:
        raise DependencyDown(f"PostgreSQL cannot be used (MUNICIPIO_DATABASE_URL): {err}") from err
    for service, url in urls.items():
        write_private(url_files[service], url)
