"""What was made of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made of an answer. ``text`` names the catalogue's reply to it; ``None``: no reply."""

    name: str
    text: str | None = None
    parts: Mapping[str, object] = field(default_factory=dict)
    subject: str | None = None
    incident_id: str | None = None
