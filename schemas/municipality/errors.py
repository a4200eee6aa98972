"""What is wrong with a municipality's folder, each fault with its file, line and field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FolderError:
    """One fault; printed ``file:line: field: reason``."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


class FolderErrors(ValueError):
    """The folder cannot be used. Holds every fault that was found, not only the first."""

    def __init__(self, errors: Sequence[FolderError]) -> None:
        self.errors = tuple(sorted(errors))
        super().__init__("\n".join(str(error) for error in self.errors))
