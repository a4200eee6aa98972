"""Speak to the services' doors, with answers as JSON and failures as one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx

from municipio.errors import DependencyDown, MunicipioError, Refused, WrongUse

TIMEOUT_S: Final = 15.0
PAGES_MOST: Final = 1000


class Client:
    """Asks the services of one copy. ``urls`` by service: ingest, triage, notify, console."""

    def __init__(self, urls: Mapping[str, str], admin_token: str = "") -> None:
        self._urls = dict(urls)
        headers = {"Accept": "application/json"}
        if admin_token:
            headers["Authorization"] = f"Bearer {admin_token}"
        # Loopback needs no proxy, whatever the environment says.
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S, trust_env=False)

    def get(self, service: str, path: str, **query: str | int | None) -> dict[str, Any]:
        """Return the JSON object that the service answers.

        Raises:
            Refused, WrongUse, DependencyDown, MunicipioError: What its problem document says, in a sentence.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", service, path, params=given)

    def items(self, service: str, path: str, **query: str | int | None) -> list[dict[str, Any]]:
        """Return every item of a list, page after page."""
        found: list[dict[str, Any]] = []
        for _ in range(PAGES_MOST):
            page = self.get(service, path, **query)
            found += page.get("items", [])
            if page.get("next") is None:
                break
            query["cursor"] = page["next"]
        return found

    def post(self, service: str, path: str, body: object) -> dict[str, Any]:
        return self._ask("POST", service, path, json=body)

    def delete(self, service: str, path: str) -> dict[str, Any]:
        return self._ask("DELETE", service, path)

    def answers(self, service: str, path: str) -> bool:
        """Return whether the service answers here with success, without waiting long."""
        try:
            return self._http.get(self._urls[service] + path, timeout=2.0).is_success
        except httpx.HTTPError:
            return False

    def _ask(self, method: str, service: str, path: str, **what: Any) -> dict[str, Any]:
        url = self._urls[service] + path
        try:
            response = self._http.request(method, url, **what)
        except httpx.HTTPError as err:
            raise DependencyDown(
                f"{service} does not answer at {self._urls[service]}; is `municipio up` running?"
            ) from err
        if not response.is_success:
            raise _refusal(response, service)
        return _object(response, service)


def _object(response: httpx.Response, service: str) -> dict[str, Any]:
    if not response.content:
        return {}
    try:
        read = response.json()
    except ValueError as err:
        raise MunicipioError(f"{service} answered something that is not JSON.") from err
    return read if isinstance(read, dict) else {"items": read}


def _refusal(response: httpx.Response, service: str) -> MunicipioError:
    """Read a problem document and say it in one sentence."""
    status = response.status_code
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    said = problem if isinstance(problem, dict) else {}
    parts = [str(said[name]) for name in ("title", "detail") if said.get(name)]
    parts += [f"{error.get('pointer', '')}: {error.get('detail', '')}" for error in said.get("errors") or []]
    sentence = f"{service} answered {status}: {'; '.join(parts) or 'no reason given'}"
    if status == 401:
        return WrongUse(f"{sentence} (MUNICIPIO_ADMIN_TOKEN is missing or not this copy's)")
    if status in {403, 404, 409, 410, 422}:
        return Refused(sentence)
    if status in {400, 405, 413, 415}:
        return WrongUse(sentence)
    return DependencyDown(sentence) if status in {429, 502, 503, 504} else MunicipioError(sentence)
