"""The HTTP side of the carrier's SDK: bounded in time, never repeated, and only where it may go.

The SDK's own asynchronous client ignores its time-out, repeats POSTs and hides ``Retry-After``
(RELIABILITY §2.6). This one makes each request once, ends it after ``total_s``, and leaves the answer's
headers where the caller finds them. It is also the one gate to the outside: what ``reach`` does not
permit is not connected to, whatever else is set.
"""

from __future__ import annotations

import contextvars
import ipaddress
import logging
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]  # the SDK ships no types
from twilio.http.response import Response  # type: ignore[import-untyped]  # the SDK ships no types

last_headers: contextvars.ContextVar[Mapping[str, str] | None] = contextvars.ContextVar(
    "carrier_headers", default=None
)

_QUIET = logging.getLogger("twilio.quiet")


class NotConnected(Exception):
    """No connection came about, or the gate is closed: nothing was sent."""


class Forbidden(NotConnected):
    """Outside production this number may not be reached."""


class NoAnswer(Exception):
    """The request may have arrived; what became of it is not known."""


class Reach:
    """Who may be reached: in production everybody, else the fake carrier's phones and listed numbers.

    Args:
        production: ``MUNICIPIO_ENVIRONMENT`` is ``production``.
        base: ``MUNICIPIO_TWILIO_API_BASE``; only a loopback address counts as the fake carrier.
        allow_numbers: E.164 numbers of people who agreed to take part in tests.
    """

    def __init__(self, *, production: bool, base: str | None, allow_numbers: frozenset[str]) -> None:
        self._production = production
        self._fake = base is not None and is_loopback(base)
        self._allowed = allow_numbers

    def permits(self, number: str | None) -> bool:
        """Say whether a request about this number may leave; ``None`` is one about no number (a look-up)."""
        return self._production or self._fake or number is None or number in self._allowed


def is_loopback(url: str) -> bool:
    """Say whether the host of a URL is this machine itself, written as an address or as ``localhost``."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class BoundedTwilioHttp(AsyncHttpClient):  # type: ignore[misc]  # the SDK ships no types
    """An HTTP client for ``twilio.rest.Client``; close it when the service stops.

    Args:
        reach: Decides before every request that names a number.
        base: Scheme and host to use instead of the carrier's own, for a stand-in.
        total_s: From the call to the last byte of the answer, waiting for a free connection included.
        connect_s: To open a connection.
        limit: Open connections; keep it above the number of messages in flight, or look-ups queue.
    """

    def __init__(
        self,
        reach: Reach,
        *,
        base: str | None = None,
        total_s: float = 10.0,
        connect_s: float = 3.0,
        limit: int = 64,
    ) -> None:
        super().__init__(_QUIET, is_async=True, timeout=total_s)
        self._reach = reach
        self._base = urlsplit(base) if base else None
        self._timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s)
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request; ``timeout`` and ``allow_redirects`` of the SDK are not followed.

        Raises:
            Forbidden: The number in ``To`` may not be reached.
            NotConnected: Refused, unreachable, no name: nothing was sent.
            NoAnswer: Time-out, reset or a broken answer after the connection stood.
        """
        last_headers.set(None)
        if method.upper() != "GET" and not self._reach.permits(_number_in(data)):
            raise Forbidden("outside production only the fake carrier or MUNICIPIO_ALLOW_NUMBERS is reached")
        sent = dict(headers or {})
        if auth:
            sent["Authorization"] = aiohttp.encode_basic_auth(*auth)
        try:
            return await self._answer(method, self._target(uri), params, data, sent)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as err:
            raise NotConnected(type(err).__name__) from err
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as err:
            raise NoAnswer(type(err).__name__) from err

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _answer(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None,
        data: dict[str, object] | None,
        headers: dict[str, str],
    ) -> Response:
        async with self._opened().request(
            method,
            url,
            params=_pairs(params),
            data=_pairs(data),
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            raw = await answer.read()
            last_headers.set(answer.headers)
            return Response(answer.status, raw.decode("utf-8", "replace"), answer.headers)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._limit)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    def _target(self, url: str) -> str:
        if self._base is None:
            return url
        parts = urlsplit(url)
        return urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))


def _number_in(data: dict[str, object] | None) -> str | None:
    """Return the number that a form names; a form without one is treated as naming nobody we know."""
    return str((data or {}).get("To", ""))


def _pairs(fields: dict[str, object] | None) -> list[tuple[str, str]] | None:
    """Flatten a form: a list stands as the same name several times."""
    if fields is None:
        return None
    return [
        (name, str(one))
        for name, value in fields.items()
        for one in (value if isinstance(value, list | tuple) else (value,))
    ]
