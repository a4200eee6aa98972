"""Two towns with the same sensor ids, zone ids and phone numbers, and one deployment that serves both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.town import Town
from tests.support.towns import write_town

OpenTown = Callable[..., Town]
SILENT_AFTER = "PT23H"  # so that gauges a story does not speak of stay out of it


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes ``alta`` and ``baja`` by the same options, and says where they lie."""

    def written(**options: Any) -> Path:
        folder = tmp_path / "municipalities"
        plain: dict[str, Any] = {"zones": 2, "residents_per_zone": 3, "sensors_per_zone": 2}
        plain |= {"min_sources": 2, "silent_after": SILENT_AFTER}
        for town in ("alta", "baja"):
            write_town(folder, town, **(plain | options))
        return folder

    return written


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Town]]:
    """Return what starts a deployment on a folder of towns; it ends with the story, unexpected texts told."""
    with ExitStack() as stack:

        def started(folder: Path, settings: Mapping[str, Any] | None = None) -> Town:
            return stack.enter_context(Town(tmp_path / "data", folder, main="alta", settings=settings))

        yield started


@pytest.fixture
def town(write: Callable[..., Path], start: Callable[..., Town]) -> Town:
    """Return the deployment that most stories play in: two gauges per zone, safe release with two sites."""
    return start(write())
