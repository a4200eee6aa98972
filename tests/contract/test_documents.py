"""What stands in ``docs/`` and is drawn from the code is what the code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from docs import generate

SERVICES = ("console", "door", "ingest", "notify", "triage")


def test_nothing_has_drifted() -> None:
    """Otherwise run ``python -m docs.generate``."""
    assert [] == generate.drift()


@pytest.mark.parametrize("service", SERVICES)
def test_openapi_is_valid(service: str) -> None:
    """By the validator of the standard's own schema."""
    validate(json.loads((generate.DOCS / "openapi" / f"{service}.json").read_text(encoding="utf-8")))


def test_every_link_of_the_flow_leads_to_a_handler() -> None:
    """And every handler is linked."""
    drawn = generate.flow()
    handlers = sorted(Path(generate.ROOT).glob("services/*/handlers/on_*.py"))
    assert "(no handler)" not in drawn
    assert [] == [
        path.name for path in handlers if f"{path.parent.parent.name}/handlers/{path.name}" not in drawn
    ]
