"""Structured logs: identifiers only; whatever looks like a phone number is taken out at the last step."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

REDACTED = "[number]"
_PHONE = re.compile(
    r"(?:\+|%2B)\d[\d ().\-]{5,18}\d|(?<![\w\-+])(?<!\d\.)\d{8,15}(?![\w\-]|\.\d)", re.IGNORECASE
)
_LINES_A_SECOND = 5.0
_BURST_LINES = 50.0

Event = MutableMapping[str, Any]


def configure(environment: str, service: str, level: str = "INFO") -> None:
    """Send every log line of this process to stderr: JSON in production, readable lines elsewhere."""
    production = environment == "production"
    shared: list[Callable[[Any, str, Event], Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    renderer = (
        structlog.processors.JSONRenderer() if production else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _quieten(handler)


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Replace what looks like a phone number in every text of a log event, however deep it stands."""
    for name, value in event.items():
        event[name] = _redacted(value)
    return event


def _redacted(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _PHONE.sub(REDACTED, value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth > 4:
        return "…"
    if isinstance(value, dict):
        return {_redacted(str(name)): _redacted(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each, depth + 1) for each in value]
    return _PHONE.sub(REDACTED, str(value))


def _named(service: str) -> Callable[[Any, str, Event], Event]:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event.setdefault("service", service)
        return event

    return add


def _quieten(handler: logging.Handler) -> None:
    """Keep libraries from logging bodies (twilio), or 2,400 lines a second (aiokafka)."""
    for name in (
        "twilio",
        "twilio.quiet",
        "apscheduler",
        "httpx",
        "httpcore",
        "aiosqlite",
        "asyncio",
        "alembic",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("municipio.faststream").setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    handler.addFilter(RateLimit("aiokafka"))


class RateLimit(logging.Filter):
    """Lets a burst of one library's lines through, then a few a second, and says how many it kept back."""

    def __init__(self, prefix: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._prefix = prefix
        self._monotonic = monotonic
        self._tokens = _BURST_LINES
        self._at_s = monotonic()
        self._kept_back = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._prefix):
            return True
        now_s = self._monotonic()
        self._tokens = min(_BURST_LINES, self._tokens + (now_s - self._at_s) * _LINES_A_SECOND)
        self._at_s = now_s
        if self._tokens < 1:
            self._kept_back += 1
            return False
        self._tokens -= 1
        if self._kept_back:
            record.msg = f"{record.getMessage()} ({self._kept_back} lines kept back)"
            record.args = ()
            self._kept_back = 0
        return True
