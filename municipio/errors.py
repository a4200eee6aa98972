"""What the command line answers when it cannot say yes.

MunicipioError            exit 70: our fault
├── Refused               exit 1: the answer is "no"
├── WrongUse              exit 2: wrong use or unreadable input
└── DependencyDown        exit 3: something we need is absent, busy or does not answer
"""

from __future__ import annotations

from typing import ClassVar


class MunicipioError(Exception):
    """One sentence for a person: what happened, to what, and what to do."""

    exit_code: ClassVar[int] = 70


class Refused(MunicipioError):
    exit_code = 1


class WrongUse(MunicipioError):
    exit_code = 2


class DependencyDown(MunicipioError):
    exit_code = 3
