"""Who is asked next, when a team and its phones go by two names."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.municipality import Municipality, load_folder
from services.notify.domain.crews import crews_of, name_of, next_crew, same_crew, speaks_for

EXAMPLE = Path(__file__).parents[3] / "deploy" / "municipalities" / "ejemplo"


@pytest.fixture(scope="module")
def town() -> Municipality:
    return load_folder(EXAMPLE)


def test_a_team_and_its_phone_are_one_crew(town: Municipality) -> None:
    """A protocol may name either."""
    assert same_crew(town, "norte", "brigada-norte")
    assert not same_crew(town, "norte", "sur")
    assert speaks_for(town, "brigada-norte", "norte")
    assert not speaks_for(town, "ana", "norte")
    assert "Brigada Norte" == name_of(town, "norte")


def test_the_next_crew_is_one_that_was_not_asked(town: Municipality) -> None:
    """Round the directory once, then nobody."""
    assert ("norte", "sur") == crews_of(town)
    assert "sur" == next_crew(town, "brigada-norte", ())
    assert "norte" == next_crew(town, "brigada-sur", ())
    assert next_crew(town, "brigada-sur", ("brigada-norte",)) is None
    assert "norte" == next_crew(town, "tecnico", ())
