"""Who asks? A source proves it with its key, or with a signature made with its key."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from services.ingest.domain.keys import (
    ApiKey,
    KeyName,
    SignedRequest,
    digest_of,
    name_of,
    parse_signature,
)
from services.ingest.errors import NotKnown
from services.ingest.outbound import keys
from services.runtime.database import Database

SIGNATURE_HEADER: Final = "municipio-signature"
# So long another process may still open to a key that was revoked here.
REMEMBERED_S: Final = 1.0
REMEMBERED_MOST: Final = 1000
# One answer for a wrong secret and for a key that never was: nobody learns which keys exist.
_NO_KEY: Final = "send Authorization: Bearer with a key made by `municipio keys create`"


class Doorkeeper:
    """Knows sources by the real time, not the town's: a replay of an old flood revives no old key."""

    def __init__(self, db: Database, wall: Callable[[], datetime]) -> None:
        self._db = db
        self._wall = wall
        self._remembered: dict[KeyName, tuple[float, ApiKey]] = {}

    def forget(self) -> None:
        """Look every key up anew: one was revoked."""
        self._remembered.clear()

    async def by_bearer(self, header: str | None) -> ApiKey:
        """Return the key of an ``Authorization`` header.

        Raises:
            NotKnown: There is no good key in it.
        """
        scheme, _, text = (header or "").partition(" ")
        name = name_of(text.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise NotKnown(_NO_KEY)
        key = await self._find(name)
        if key is None or not hmac.compare_digest(digest_of(text.strip()), key.digest):
            raise NotKnown(_NO_KEY)
        return self._good(key)

    async def by_signature(self, header: str, body: bytes) -> ApiKey:
        """Return the key that signed the body; its nonce is used up.

        Raises:
            NotKnown: The signature is none, does not hold, is too old or was used before.
        """
        request = parse_signature(header)
        if request is None:
            raise NotKnown("Municipio-Signature is not keyid=…,ts=…,nonce=…,v1=…")
        key = await self._find(request.name)
        if key is None or not key.may_sign or not request.is_by(key, body):
            raise NotKnown("the signature does not hold")
        if not request.is_fresh(self._wall()):
            raise NotKnown("the signature's time is more than 120 seconds from ours")
        good = self._good(key)
        await self._use_up(request)
        return good

    async def _find(self, name: KeyName) -> ApiKey | None:
        found_s, key = self._remembered.get(name, (float("-inf"), None))
        if key is not None and time.monotonic() - found_s < REMEMBERED_S:
            return key
        asked_s = time.monotonic()
        async with self._db.reading() as conn:
            key = await keys.find(conn, name.municipality, name.key_id)
        if key is not None:
            if len(self._remembered) >= REMEMBERED_MOST:
                self._remembered.clear()
            self._remembered[name] = asked_s, key
        return key

    def _good(self, key: ApiKey) -> ApiKey:
        why_not = key.why_not(self._wall())
        if why_not is not None:
            raise NotKnown(why_not)
        return key

    async def _use_up(self, request: SignedRequest) -> None:
        name = request.name
        async with self._db.transaction() as conn:
            is_new = await keys.use_nonce(conn, name.municipality, name.key_id, request.nonce, self._wall())
        if not is_new:
            raise NotKnown("this nonce was used before")
