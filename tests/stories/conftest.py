"""Two towns with the same sensor ids, zone ids and phone numbers, and one deployment that serves both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.town import Town
from tests.support.towns import write_town


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    """Return a folder with two written towns, ``alta`` and ``baja``."""
    folder = tmp_path / "municipalities"
    for town in ("alta", "baja"):
        write_town(folder, town, zones=2, residents_per_zone=3, sensors_per_zone=2, min_sources=2)
    return folder


@pytest.fixture
def town(tmp_path: Path, towns: Path) -> Iterator[Town]:
    with Town(tmp_path / "data", towns, main="alta") as deployment:
        yield deployment
