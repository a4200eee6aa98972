"""The toy town and its run that lost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.oracle import Town, read_town
from tests.support.towns import write_town
from tests.unit.oracle.toy import run_of


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = write_town(tmp_path_factory.mktemp("towns"), "a", zones=3, residents_per_zone=2).folder
    return read_town(Path(folder))


@pytest.fixture
def told(town: Town) -> dict[str, Any]:
    """A quiet gauge and one that rises to 3: a page, its answer, and a warning to two residents."""
    return run_of(town)
