"""Somebody of the neighbouring town corrects a warning, lifts another, while everything goes wrong."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Any

from municipio.client import Client
from municipio.decisions import decision_of, hand_over, signed, town_now
from municipio.errors import MunicipioError
from tests.support.towns import operator_key

WHO = "beto"
EVERY_S = 2.0
IN_FORCE = "authorised"
CORRECTION = "ALCALDIA DE VECINA: el aviso de antes fue un error. Siga las indicaciones de la brigada."


async def decide_again_and_again(client: Client, town: str) -> None:
    """Leave one warning alone, correct the next, lift the third, each as soon as it is in force; for ever."""
    done: set[str] = set()
    verbs = cycle((None, "correct", "lift"))
    verb = next(verbs)
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            if await asyncio.to_thread(_decide_one, client, town, verb, done):
                verb = next(verbs)
        except MunicipioError:
            continue  # The service is away; the warning is still there when it is back.


def _decide_one(client: Client, town: str, verb: str | None, done: set[str]) -> bool:
    heads = client.items("notify", "/admin/v1/warnings", municipality=town)
    fresh = [head for head in heads if head["state"] == IN_FORCE and head["warning_id"] not in done]
    if not fresh:
        return False
    head = fresh[0]
    if verb is not None:
        _decide(client, town, verb, head["incident_id"])
    done.add(head["warning_id"])
    return True


def _decide(client: Client, town: str, verb: str, incident_id: str) -> None:
    fields: dict[str, Any] = {"incident_id": incident_id, "verb": verb, "reason": "prueba"}
    if verb == "correct":
        fields["text"] = {"*": CORRECTION}
    decision = decision_of(WHO, fields, town_now(client))
    hand_over(client, town, signed(decision, town, operator_key(WHO)))
