"""``municipio decide``: a person with authority says what shall be done."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Running, Town, running, town_folder
from municipio.errors import WrongUse

if TYPE_CHECKING:
    from municipio.decisions import Asked
    from schemas.events.decisions import CoordinatorDecided
    from schemas.municipality import Municipality

_REFUSED = 1


def decide(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT")],
    verb: Annotated[
        str,
        typer.Argument(
            metavar="VERB", help="approve reject pass raise lower renew correct lift withdraw close"
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the decision.")],
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="The incident's version that you saw.")
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="ID", help="The request for authority you answer.")
    ] = None,
    level: Annotated[int | None, typer.Option("--level", min=0, max=4, help="For raise and lower.")] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="ZONE=WORDS", help="For correct; * for every zone.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="For renew: RFC 3339 with an offset.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without being asked again.")] = False,
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Sign a decision with MUNICIPIO_OPERATOR_KEY_FILE and wait up to 10 s for its ruling.

    ``approve`` shows the words, zones and phones that wait, and signs exactly those.
    0 applied, 1 refused with the reason, 3 no answer.
    """
    from municipio import decisions
    from municipio.output import print_json

    copy = running(data)
    key = decisions.read_key(_key_file())
    town = _town(copy, municipality)
    fields: dict[str, Any] = {
        "version": version,
        "request_id": request,
        "level": level,
        "text": _texts(text),
        "until": until,
    }
    fields |= {"incident_id": incident, "verb": _verb(verb), "reason": reason}
    client, operator = copy.client(), decisions.operator_of(key, town)
    asked = None
    if fields["verb"] == "approve":
        asked = decisions.what_is_asked(client, town.id, incident, request)
        _show(asked, ask=sys.stdin.isatty() and not yes)
        fields |= {"request_id": asked.request_id, "content_hash": asked.content_hash}
    decision = _decision(operator, fields, decisions.town_now(client))
    decisions.hand_over(client, town.id, decisions.signed(decision, town.id, key))
    ruled = decisions.ruling_of(client, town.id, decision.decision_id)
    if as_json:
        print_json("decision", ruled | ({"approved": asked.as_json()} if asked else {}))
    else:
        reasons = "; ".join(str(given.get("text", given)) for given in ruled.get("reasons", []))
        print(f"{ruled['ruling']}: {reasons or 'no reason given'}")
    return 0 if ruled["ruling"] == "applied" else _REFUSED


def _show(asked: Asked, *, ask: bool) -> None:
    """Show on stderr what a yes sends and to whom; with ``ask``, go on only after one."""
    lines = [f"{asked.purpose} for {', '.join(asked.zones)}, {asked.phones} phones:", *asked.texts]
    print("\n".join(lines), file=sys.stderr)
    if ask:
        typer.confirm("Approve exactly this?", abort=True, err=True)


def _key_file() -> Path:
    given = os.environ.get("MUNICIPIO_OPERATOR_KEY_FILE")
    if not given:
        raise WrongUse("MUNICIPIO_OPERATOR_KEY_FILE: is required, the file of your private key.")
    return Path(given)


def _town(copy: Running, municipality: str) -> Municipality:
    from schemas.municipality import FolderErrors, load_folder

    try:
        return load_folder(town_folder(municipality, copy.municipalities), keys_dir=copy.keys)
    except FolderErrors as err:
        raise WrongUse(f"{err.errors[0]} (and {len(err.errors) - 1} more)") from err


def _verb(said: str) -> str:
    from schemas.vocabulary import Verb

    verbs = [verb.value for verb in Verb if verb is not Verb.UNKNOWN]
    if said not in verbs:
        raise WrongUse(f"{said} is not a verb; one of: {' '.join(verbs)}")
    return said


def _decision(operator: str, fields: dict[str, Any], decided_at: str) -> CoordinatorDecided:
    from pydantic import ValidationError

    from municipio.decisions import decision_of

    try:
        return decision_of(operator, fields, decided_at)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        raise WrongUse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from err


def _texts(given: list[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    pairs = [words.partition("=") for words in given]
    if any(not zone or not equals for zone, equals, _ in pairs):
        raise WrongUse("--text: expected ZONE=WORDS, for instance --text 'la-vega=El agua llega a las 03:10'")
    return {zone: words for zone, _, words in pairs}
