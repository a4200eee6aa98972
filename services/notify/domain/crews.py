"""Who the town's crews are, who speaks for which, and who is asked next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.municipality.duty import Person
from schemas.municipality.folder import Municipality
from schemas.municipality.town import Role


def crews_of(town: Municipality) -> tuple[str, ...]:
    """Return every brigade, by its team or else by the id of its phone, as the directory lists them."""
    brigades = (person for person in town.directory if person.role is Role.BRIGADE)
    return tuple(dict.fromkeys(person.team or person.person_id for person in brigades))


def speaks_for(town: Municipality, person_id: str, crew: str | None) -> bool:
    """Say whether this phone is one of the crew; a task may name a team or one person of it."""
    person = town.person_of.get(person_id)
    return person is not None and crew is not None and crew in {person_id, person.team}


def members(town: Municipality, crew: str) -> tuple[Person, ...]:
    return tuple(person for person in town.directory if speaks_for(town, person.person_id, crew))


def same_crew(town: Municipality, one: str | None, other: str | None) -> bool:
    """Say whether a team and one of its persons, or two names of anything, are the same people."""
    if one is None or other is None:
        return False
    named = {person.team or person.person_id for crew in (one, other) for person in members(town, crew)}
    return one == other or len(named) == 1


def next_crew(town: Municipality, now: str | None, tried: Sequence[str]) -> str | None:
    """Return whom to ask after ``now``: the next brigade of the directory that was not asked yet."""
    crews = crews_of(town)
    start = next((place + 1 for place, crew in enumerate(crews) if same_crew(town, crew, now)), 0)
    asked = (*tried, *((now,) if now else ()))
    for crew in (*crews[start:], *crews[:start]):
        if not any(same_crew(town, crew, before) for before in asked):
            return crew
    return None


def name_of(town: Municipality, crew: str | None) -> str:
    """Return what people call it: the name of its only phone, else of its team."""
    people = members(town, crew) if crew else ()
    if len(people) == 1:
        return people[0].name
    return crew or "nadie"
