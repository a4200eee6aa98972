"""What the console reads from the environment, beside what all services do."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from services.runtime.settings import RuntimeSettings

SERVICE: Final = "console"


class ConsoleSettings(RuntimeSettings):
    """Settings of the console.

    Attributes:
        console_max_records: Records of one topic in one batch and one transaction.
    """

    console_max_records: int = Field(default=500, ge=1, le=5000)
