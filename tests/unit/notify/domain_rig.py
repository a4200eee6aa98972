"""A written town and an incident for tests of pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.municipality import Municipality, load_folder
from services.notify.texts import catalogue
from tests.support.towns import write_town

NOW = datetime(2026, 5, 5, 8, 45, tzinfo=UTC)  # 02:45 in El Salvador
CATALOGUES = {"es": catalogue("es"), "en": catalogue("en")}


@cache
def town(*, safe_release: bool = True, min_sources: int = 1) -> Municipality:
    """Return a town of three zones with five residents each."""
    with TemporaryDirectory() as folder:
        written = write_town(
            Path(folder),
            "alta",
            zones=3,
            residents_per_zone=5,
            safe_release=safe_release,
            min_sources=min_sources,
        )
        return load_folder(written.folder)
