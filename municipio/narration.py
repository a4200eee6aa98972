"""Say on the terminal what the town's people live through while a recording plays."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Final

from municipio.stack import Stack
from services.runtime.clock import TownClock

LOOK_EVERY_S: Final = 0.5


class Narrator:
    """Prints each text, call and answer once, with the town's time; residents of one text as a count."""

    def __init__(self, stack: Stack, town: str) -> None:
        self._stack = stack
        self._names = _names(stack, town)
        self._clock = TownClock(stack.copy.clock_file)
        self._after = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_until_over, daemon=True)

    def __enter__(self) -> Narrator:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _tell_until_over(self) -> None:
        import httpx

        with httpx.Client(base_url=self._stack.urls["carrier"], timeout=5, trust_env=False) as http:
            while not self._over.wait(LOOK_EVERY_S):
                try:
                    page = http.get("/_ledger", params={"after": self._after}).json()
                except (httpx.HTTPError, ValueError):
                    continue  # The carrier is starting again or gone: the story goes on without us.
                self._after = page["next"]
                self._tell(page["items"])

    def _tell(self, entries: list[dict[str, Any]]) -> None:
        told: dict[str, int] = {}
        at = f"{self._clock.now().astimezone(self._zone):%d/%m %H:%M}"
        for entry in entries:
            if entry["kind"] not in {"message", "call", "answer"}:
                continue
            name = self._names.get(entry["phone"], "vecinos")
            line = _line(entry, name)
            told[line] = told.get(line, 0) + 1
        for line, count in told.items():
            print(f"{at}  {line}{f'  (x{count})' if count > 1 else ''}", flush=True)

    @property
    def _zone(self) -> Any:
        from zoneinfo import ZoneInfo

        return ZoneInfo(self._names["time_zone"])


def _line(entry: dict[str, Any], name: str) -> str:
    if entry["kind"] == "answer":
        return f"{name} responde: {entry.get('words') or entry.get('digits') or '…'}"
    if entry["kind"] == "call":
        return f"llamada a {name}"
    return f"SMS a {name}: {entry['text']}"


def _names(stack: Stack, town: str) -> dict[str, str]:
    """Return the role that each staff phone belongs to; residents have no name here."""
    from schemas.municipality import load_folder

    folder = load_folder(stack.copy.municipalities / town)
    return {person.phone: person.person_id for person in folder.directory} | {
        "time_zone": folder.town.time_zone
    }
