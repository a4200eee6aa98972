"""Where things lie in a checkout. Nothing is written outside ``var/``."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
KAFKA = VAR / "kafka"
MUNICIPALITIES = ROOT / "deploy" / "municipalities"
EXAMPLE_TOWN = "ejemplo"


def write_private(path: Path, text: str | bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    draft.replace(path)
