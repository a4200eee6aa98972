"""One alembic environment for all services; a service brings only ``migrations/versions/*.py``."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

HERE = Path(__file__).resolve().parent
SERVICES = HERE.parent.parent


def alembic_config(service: str) -> Config:
    """Return alembic's settings for one service."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(SERVICES / service / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    return config


def upgrade(connection: sa.Connection, service: str) -> None:
    """Bring the tables behind ``connection`` to the newest version, inside its open transaction."""
    config = alembic_config(service)
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def differences(connection: sa.Connection, metadata: sa.MetaData) -> list[object]:
    """Return what a new migration would have to change so that the tables are those of ``metadata``."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))
