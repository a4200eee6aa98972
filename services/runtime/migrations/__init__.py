"""One alembic environment for all services; a service brings only ``migrations/versions/*.py``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).resolve().parent
SERVICES = HERE.parent.parent


def alembic_config(service: str) -> Config:
    """Return alembic's settings for one service."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(SERVICES / service / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    return config


def upgrade(connection: sa.Connection, service: str) -> None:
    """Bring the tables behind ``connection`` to the newest version, inside its open transaction.

    Alembic is ten megabytes in every process; where the tables are of the newest version it stays away.
    """
    if _version(connection) == newest(service):
        return
    from alembic import command

    config = alembic_config(service)
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def is_upgraded(connection: sa.Connection, service: str) -> bool:
    """Say whether the tables behind ``connection`` are of the newest version that we know, or a newer one."""
    return (_version(connection) or "") >= newest(service)


def newest(service: str) -> str:
    """Return the newest version of a service; its file's name begins with it."""
    names = [path.name for path in (SERVICES / service / "migrations" / "versions").glob("[0-9]*_*.py")]
    return max(names).partition("_")[0]


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    return str(found[0]) if len(found) == 1 else None


def differences(connection: sa.Connection, metadata: sa.MetaData) -> list[object]:
    """Return what a new migration would have to change so that the tables are those of ``metadata``."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    return list(compare_metadata(MigrationContext.configure(connection), metadata))
