"""How webhooks travel: over real HTTP, or into an application of the same process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import httpx
from yarl import URL


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class Unreachable(Exception):
    """The connection failed, or no answer came in time."""


class Poster(Protocol):
    async def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """Post a form; raise ``Unreachable`` when nobody answers."""

    async def close(self) -> None: ...


class HttpPoster:
    """Real HTTP by aiohttp, without redirects, proxies or retries."""

    def __init__(self, read_timeout_s: float = 15.0, limit: int = 64) -> None:
        self._timeout = aiohttp.ClientTimeout(total=read_timeout_s, sock_connect=5)
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._limit)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        exact = URL(url, encoded=True)  # a URL written otherwise would not fit its signature
        try:
            async with self._session.post(
                exact, data=dict(fields), headers=dict(headers), allow_redirects=False
            ) as response:
                return Answer(response.status, await response.text())
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise Unreachable(type(err).__name__) from err

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class AppPoster:
    """Into ASGI applications by httpx; the caller owns the client, its routes and its life."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        try:
            response = await self._client.post(url, data=dict(fields), headers=dict(headers))
        except httpx.TransportError as err:
            raise Unreachable(type(err).__name__) from err
        return Answer(response.status_code, response.text)

    async def close(self) -> None:
        return
