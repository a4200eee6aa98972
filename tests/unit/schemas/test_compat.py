"""What counts as a breaking change of a contract, and what does not."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from pydantic import BaseModel, Field

from schemas.compat import Comparison, breaks
from schemas.export import Schema, bundle
from schemas.vocabulary import Hazard


class Part(BaseModel):
    code: str


class Before(BaseModel):
    id: str = Field(min_length=1, max_length=10)
    value: float
    count: int = 0
    hazard: Hazard = Hazard.FLOOD
    note: str | None = None
    parts: tuple[Part, ...] = ()


def faults(change: Callable[[Schema], object], *, is_event: bool = True) -> list[str]:
    old = Before.model_json_schema()
    new = copy.deepcopy(old)
    change(new)
    return list(Comparison(old, new, is_event).faults())


def drop(schema: Schema, name: str) -> None:
    del schema["properties"][name]
    schema["required"] = [field for field in schema["required"] if field != name]


BREAKING = [
    ("a field removed", lambda new: drop(new, "note"), "#/note: the field was removed"),
    ("a required field removed", lambda new: drop(new, "value"), "#/value: the field was removed"),
    ("now required", lambda new: new["required"].append("note"), "#/note: is required and was not"),
    ("no longer always there", lambda new: new["required"].remove("value"), "#/value: was always there"),
    (
        "another type",
        lambda new: new["properties"]["value"].update(type="string"),
        "#/value: no longer takes number",
    ),
    (
        "narrower type",
        lambda new: new["properties"]["value"].update(type="integer"),
        "#/value: no longer takes",
    ),
    (
        "wider type",
        lambda new: new["properties"]["count"].update(type="number"),
        "#/count: no longer takes integer",
    ),
    (
        "a word gone",
        lambda new: new["$defs"]["Hazard"]["enum"].remove("air"),
        "no longer takes the word 'air'",
    ),
    ("shorter", lambda new: new["properties"]["id"].update(maxLength=9), "#/id: maxLength was 10, is 9"),
    (
        "longer at least",
        lambda new: new["properties"]["id"].update(minLength=2),
        "#/id: minLength was 1, is 2",
    ),
    (
        "a new bound",
        lambda new: new["properties"]["value"].update(minimum=0),
        "#/value: minimum was None, is 0",
    ),
    ("a new form", lambda new: new["properties"]["id"].update(pattern="a"), "#/id: pattern was None, is a"),
    (
        "deep down",
        lambda new: drop(new["$defs"]["Part"], "code"),
        "#/parts/items/code: the field was removed",
    ),
    (
        "never null",
        lambda new: new["properties"].update(note={"type": "string"}),
        "#/note: no longer takes null",
    ),
]

COMPATIBLE = [
    ("a field with a default", lambda new: new["properties"].update(more={"type": "string", "default": ""})),
    ("a new word", lambda new: new["$defs"]["Hazard"]["enum"].append("tsunami")),
    ("a wider bound", lambda new: new["properties"]["id"].update(maxLength=20)),
    ("a bound gone", lambda new: new["properties"]["id"].pop("minLength")),
    ("another default", lambda new: new["properties"]["count"].update(default=3)),
    ("other words about it", lambda new: new["properties"]["id"].update(description="x", title="y")),
]


@pytest.mark.parametrize(
    ("change", "expected"), [row[1:] for row in BREAKING], ids=[row[0] for row in BREAKING]
)
def test_breaking_change_is_named(change: Callable[[Schema], object], expected: str) -> None:
    """Each kind of broken promise is said with its place."""
    (found,) = faults(change)
    assert expected in found


@pytest.mark.parametrize("change", [row[1] for row in COMPATIBLE], ids=[row[0] for row in COMPATIBLE])
def test_addition_breaks_nothing(change: Callable[[Schema], object]) -> None:
    """Additions with defaults and looser bounds are welcome."""
    assert [] == faults(change)


def test_a_towns_file_may_ask_for_less() -> None:
    """Old files still load when a field of theirs becomes optional: no one else reads them."""
    assert [] == faults(lambda new: new["required"].remove("value"), is_event=False)


def test_type_or_topic_that_is_gone_breaks() -> None:
    """A consumer of it would wait for ever; another key or partition count would move its records."""
    old = bundle("old")
    new = copy.deepcopy(old)
    del new["schemas"]["clock.ticked"]
    new["topics"]["readings"]["types"].remove("clock.ticked")
    new["topics"]["incidents"]["key"] = "municipality"
    new["topics"]["messages"]["partitions"] = 4
    del new["topics"]["tasks"]
    assert {
        "clock.ticked: is gone",
        "topic readings: type clock.ticked is gone",
        "topic incidents: key was incident id, is municipality",
        "topic messages: partitions was 3, is 4",
        "topic tasks: is gone",
    } == set(breaks(old, new))


def test_bundle_keeps_its_own_promises() -> None:
    """The same contracts break nothing."""
    assert [] == breaks(bundle("a"), bundle("b"))
