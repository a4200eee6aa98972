"""What is wrong with a municipality's folder, each fault with its file, line and field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FolderError:
    """One fault; printed ``file:line: field: reason``.

    ``is_warning``: the folder can be used all the same, and somebody should look whether it is meant so.
    """

    file: str
    line: int
    field: str
    reason: str
    is_warning: bool = False

    def __str__(self) -> str:
        warning = "warning: " if self.is_warning else ""
        return f"{self.file}:{self.line}: {self.field}: {warning}{self.reason}"


class FolderErrors(ValueError):
    """The folder cannot be used. Holds every fault that was found, not only the first."""

    def __init__(self, errors: Sequence[FolderError]) -> None:
        self.errors = tuple(sorted(errors))
        super().__init__("\n".join(str(error) for error in self.errors))
