"""One alembic environment for all services; a service brings only ``migrations/versions/*.py``."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

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
