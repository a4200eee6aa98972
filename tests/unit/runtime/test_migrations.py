"""The short way past alembic knows the same newest version as alembic."""

import pytest
from alembic.script import ScriptDirectory

from services.runtime.migrations import alembic_config, newest


@pytest.mark.parametrize("service", ["ingest", "triage", "notify", "console"])
def test_newest_file_is_the_only_head(service: str) -> None:
    """Else a start would take old tables for new ones."""
    assert [newest(service)] == ScriptDirectory.from_config(alembic_config(service)).get_heads()
