"""Give each service its own schema and role on one PostgreSQL server; its URL goes to a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from municipio.errors import DependencyDown
from municipio.paths import write_private


def provision(database_url: str, url_files: Mapping[str, Path]) -> None:
    """Make schema and role per service where they are missing, and write each URL to its file.

    Raises:
        DependencyDown: The server does not answer or does not let us in.
    """
    import asyncio

    from services.runtime.provision import provision as make

    try:
        urls = asyncio.run(make(database_url, tuple(url_files)))
    except OSError as err:
        raise DependencyDown(f"PostgreSQL does not answer: {err}") from err
    for service, url in urls.items():
        write_private(url_files[service], url)
