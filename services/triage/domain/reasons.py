"""Say why, in words that a coordinator reads. Texts stand in ``texts/es.toml``; codes are their keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from schemas.events.base import Reason
from services.triage.domain.rulebook import Book

MAX_CHARS = 1000


@cache
def _texts() -> dict[str, str]:
    written = tomllib.loads(files("services.triage").joinpath("texts", "es.toml").read_text(encoding="utf-8"))
    return {f"{group}.{name}": text for group, rows in written.items() for name, text in rows.items()}


def reason(code: str, **words: object) -> Reason:
    """Return the reason ``code`` with its words filled in."""
    return Reason(code=code, text=_texts()[code].format(**words)[:MAX_CHARS])


def word(code: str) -> str:
    return _texts()[f"words.{code}"]


def amount(value: float, unit: str | None) -> str:
    """Write a value as people here write it: ``3,02 m``."""
    digits = 2 if abs(value) < 1000 else 0
    return f"{value:.{digits}f}".replace(".", ",") + (f" {unit}" if unit else "")


def moment(book: Book, at: datetime) -> str:
    """Write a moment by the town's own clocks: ``13:15 del 02/05``."""
    return _minute(book.time_zone, at.replace(second=0, microsecond=0))


@lru_cache(maxsize=4096)
def _minute(time_zone: ZoneInfo, at: datetime) -> str:
    return at.astimezone(time_zone).strftime("%H:%M del %d/%m")


def span(duration: timedelta) -> str:
    """Write a duration: ``90 min``, ``3 h``."""
    minutes = duration.total_seconds() / 60
    if minutes >= 120 and minutes % 60 == 0:
        return f"{minutes / 60:.0f} h"
    return f"{minutes:.0f} min" if minutes >= 1 else f"{duration.total_seconds():.0f} s"


def label(book: Book, level: int) -> str:
    return book.labels[level] if 0 <= level < len(book.labels) else str(level)


def zones(book: Book, zone_ids: Iterable[str]) -> str:
    """Write zones by their names."""
    return ", ".join(book.zone_names.get(zone, zone) for zone in zone_ids)
