from __future__ import annotations

import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "deploy" / "municipalities"


@pytest.fixture
def ejemplo(tmp_path: Path) -> Path:
    """A copy of the example town that a test may spoil."""
    return Path(shutil.copytree(EXAMPLES / "ejemplo", tmp_path / "ejemplo"))
