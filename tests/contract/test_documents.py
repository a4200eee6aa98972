"""What stands in ``docs/`` and is drawn from the code is what the code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from docs import examples, generate

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


@pytest.mark.parametrize(
    "page", examples.documents(), ids=lambda page: str(page.path.relative_to(examples.ROOT))
)
def test_what_a_page_shows_is_there(page: examples.Document) -> None:
    """Commands, options, targets, files, settings and JSON of every page."""
    assert [] == examples.faults(page)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`municipio flee`", "there is no command 'flee'"),
        ("```\n.venv/bin/municipio keys create red --colour blue\n```", "there is no option --colour"),
        ("`make coffee`", "no such target"),
        ("[here](docs/nowhere.md)", "no such file"),
        ("`services/nowhere.py`", "no such file"),
        ("`MUNICIPIO_NO_SUCH_THING`", "does not explain it"),
        ("```json\n{\n```", "JSON block"),
        ('```json reading.published\n{"sensor_id": "g-1"}\n```', "JSON block reading.published"),
        ("```json no.such_event\n{}\n```", "JSON block no.such_event"),
    ],
)
def test_what_is_not_there_is_found(text: str, fault: str) -> None:
    """One page with one untruth of each kind."""
    (found,) = examples.faults(examples.Document(examples.ROOT / "page.md", text))
    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "`municipio keys create red --reports`",
        "Escriba `municipio` y la orden.",
        "`docs/adr/`",
        "`make check`",
    ],
)
def test_what_is_there_is_no_fault(text: str) -> None:
    assert [] == examples.faults(examples.Document(examples.ROOT / "page.md", text))
