"""What the page of phones shows of the town: its clock, its rivers and its gravest incident.

Asked of triage with the administrator's token, which never leaves this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.fake_twilio.clock import Clock, TownFileClock

Json = dict[str, Any]
ASK_EVERY_S: Final = 1.0
ANSWER_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Admin:
    """Where triage answers, and the token that it wants."""

    triage_url: str
    token: str = field(repr=False)

    @staticmethod
    def from_environment(env: Mapping[str, str] = os.environ) -> Admin | None:
        """Return what every process of a copy is told, or ``None`` where nothing is."""
        url, token = env.get("MUNICIPIO_TRIAGE_URL", ""), env.get("MUNICIPIO_ADMIN_TOKEN", "")
        file = env.get("MUNICIPIO_ADMIN_TOKEN_FILE", "")
        if not token and file and Path(file).is_file():
            token = Path(file).read_text().strip()
        return Admin(url, token) if url and token else None


class TownView:
    """Keeps the last answer and its age, so that an answer that does not come is seen to be missing.

    ``scene``: JSON file ``{"id", "name", "time_zone", "gauges": {sensor_id: {"name", "river", "unit"}},
    "zones": {id: name}}``; it may appear later.
    """

    def __init__(self, clock: Clock, scene: Path | None = None, admin: Admin | None = None) -> None:
        self._clock = clock
        self._scene = scene
        self._admin = admin
        self._http: httpx.AsyncClient | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked_s = float("-inf")
        self._told_s: float | None = None
        self._gauges: dict[str, Json] = {}
        self._incidents: list[Json] = []

    def now(self) -> Json:
        """Return the town as last heard of; ``age_s`` is ``None`` when nothing was ever heard."""
        scene = self._scene_now()
        if self._is_time_to_ask(scene):
            self._asking = asyncio.create_task(self._ask(scene))
        age_s = None if self._told_s is None else round(time.monotonic() - self._told_s, 1)
        return {
            "schema": "municipio/carrier-town/1",
            "name": scene.get("name"),
            "time_zone": scene.get("time_zone"),
            **self._time(),
            "age_s": age_s,
            "gauges": [self._gauges[each] for each in scene.get("gauges", {}) if each in self._gauges],
            "gauges_known": len(scene.get("gauges", {})),
            "incidents": self._incidents,
        }

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _time(self) -> Json:
        if isinstance(self._clock, TownFileClock):
            return {"now": self._clock.town().isoformat(), "rate": self._clock.rate}
        return {"now": datetime.now(UTC).isoformat(), "rate": 1.0}

    def _scene_now(self) -> Json:
        try:
            told = json.loads(self._scene.read_text()) if self._scene else {}
        except (OSError, ValueError):
            told = {}
        return told if isinstance(told, dict) else {}

    def _is_time_to_ask(self, scene: Json) -> bool:
        """Ask one question at a time and at most one a second, however many pages look; none waits for it."""
        is_under_way = self._asking is not None and not self._asking.done()
        is_too_soon = time.monotonic() - self._asked_s < ASK_EVERY_S
        return self._admin is not None and "id" in scene and not is_under_way and not is_too_soon

    async def _ask(self, scene: Json) -> None:
        self._asked_s = time.monotonic()
        try:
            verdicts = await self._get("verdicts", scene["id"])
            incidents = await self._get("incidents", scene["id"])
            self._see(scene, verdicts, incidents)
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return  # What is known grows older, and the page says how old it is.
        self._told_s = time.monotonic()

    async def _get(self, what: str, town: str) -> list[Json]:
        assert self._admin is not None
        if self._http is None:
            headers = {"Authorization": f"Bearer {self._admin.token}"}
            self._http = httpx.AsyncClient(headers=headers, timeout=ANSWER_WITHIN_S, trust_env=False)
        query: dict[str, str] = {"municipality": town, "limit": "500"}
        answer = await self._http.get(f"{self._admin.triage_url}/admin/v1/{what}", params=query)
        answer.raise_for_status()
        items: list[Json] = answer.json()["items"]
        return items

    def _see(self, scene: Json, verdicts: list[Json], incidents: list[Json]) -> None:
        for verdict in verdicts:
            known = scene.get("gauges", {}).get(verdict["sensor_id"])
            if known and verdict["observed_at"]:
                before = self._gauges.get(verdict["sensor_id"])
                self._gauges[verdict["sensor_id"]] = known | _reading(verdict, before)
        zones = scene.get("zones", {})
        self._incidents = [_incident(each, zones) for each in incidents if each["state"] != "closed"]


def _reading(verdict: Json, before: Json | None) -> Json:
    reading = {
        "sensor_id": verdict["sensor_id"],
        "value": verdict["value"],
        "observed_at": verdict["observed_at"],
        "silent": bool(verdict["silent"]),
        "level": max((each["level"] for each in verdict["conditions"].values()), default=None),
        "per_hour": before["per_hour"] if before else None,
    }
    if before and before["observed_at"] != reading["observed_at"]:
        reading["per_hour"] = _per_hour(before, reading)
    return reading


def _per_hour(before: Json, after: Json) -> float | None:
    passed = datetime.fromisoformat(after["observed_at"]) - datetime.fromisoformat(before["observed_at"])
    hours = passed.total_seconds() / 3600
    return round((after["value"] - before["value"]) / hours, 2) if hours > 0 else None


def _incident(incident: Json, zones: Json) -> Json:
    return {
        "incident_id": incident["incident_id"],
        "kind": incident["kind"],
        "level": incident["level"],
        "label": incident["label"],
        "zones": [zones.get(zone, zone) for zone in incident["zones"]],
        "site": incident["site"],
        "since": incident["opened_at"],
        "at": incident["classified_at"],
    }
