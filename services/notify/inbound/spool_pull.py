"""Fetch from the webhook door what it keeps for us: into our own table first, then it may forget."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
import structlog

from services.notify.outbound.phones import PhoneCipher
from services.notify.tables import door_inbox
from services.runtime.database import Database
from services.runtime.errors import Retriable

log = structlog.get_logger()

PAGE = 200
WAIT_S = 1.0
TIMEOUT_S = 5.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.2, 2.0


class DoorAway(Exception):
    """The door does not answer, or not as agreed; what it keeps is safe with it."""


class SpoolPull:
    """One puller. Two at the same time do no harm: a request is one row by its id.

    Args:
        db: The service's database.
        cipher: Seals numbers and words.
        http: A client whose base URL is the door's and that carries the administrator's token.
        town_of: Names the town a request is about from its path and form, ``*`` when it cannot; always the
            same for the same request.
        on_new: Called after each page that brought something.
    """

    def __init__(
        self,
        db: Database,
        cipher: PhoneCipher,
        http: httpx.AsyncClient,
        town_of: Callable[[str, dict[str, list[str]]], str],
        on_new: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._cipher = cipher
        self._http = http
        self._town_of = town_of
        self._on_new = on_new
        self.is_connected = False

    async def run(self) -> None:
        """Fetch until cancelled; a door that is away is asked again, ever less often up to 2 s."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self.pull(WAIT_S)
                pause_s = FIRST_PAUSE_S
            except (DoorAway, Retriable) as err:
                if self.is_connected or pause_s == FIRST_PAUSE_S:
                    log.warning("notify.door_away", reason=str(err))
                self.is_connected = False
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, MOST_PAUSE_S)

    async def pull(self, wait_s: float = 0.0) -> int:
        """Fetch one page, keep it, tell the door; return how many requests it held.

        Raises:
            DoorAway: Not reachable, or an answer that is none.
            DatabaseDown, DatabaseBusy, DatabaseFull: Nothing was kept and the door told nothing.
        """
        page = await self._fetch(wait_s)
        self.is_connected = True
        if not page:
            return 0
        async with self._db.transaction() as conn:
            insert = self._db.insert(door_inbox).on_conflict_do_nothing()
            await conn.execute(insert, [self._row(item) for item in page])
        self._on_new()
        await self._say("POST", "/spool/ack", json={"ids": [item["id"] for item in page]})
        return len(page)

    async def _fetch(self, wait_s: float) -> Sequence[dict[str, Any]]:
        said = await self._say("GET", "/spool", params={"after": 0, "limit": PAGE, "wait_s": wait_s})
        items = said.get("items")
        if not isinstance(items, list):
            raise DoorAway("an answer without items")
        return items

    async def _say(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, **more)
            answer.raise_for_status()
            said = answer.json()
        except httpx.HTTPStatusError as err:
            raise DoorAway(f"HTTP {err.response.status_code}") from err
        except (httpx.HTTPError, ValueError) as err:
            raise DoorAway(type(err).__name__) from err
        return said if isinstance(said, dict) else {}

    def _row(self, item: dict[str, Any]) -> dict[str, Any]:
        return {
            "municipality": self._town_of(item["url"], item["form"]),
            "id": item["id"],
            "kind": item["kind"],
            "received_at": datetime.fromisoformat(item["received_at"]),
            "params_enc": self._cipher.seal(json.dumps(item["form"])),
            "url": item["url"],
        }


def door_client(door_url: str, admin_token: str) -> httpx.AsyncClient:
    """Return the client for a door elsewhere; close it when the service stops."""
    return httpx.AsyncClient(
        base_url=door_url,
        headers={"Authorization": f"Bearer {admin_token}"},
        timeout=httpx.Timeout(TIMEOUT_S + WAIT_S, connect=2.0),
        trust_env=False,
    )
