"""What can go wrong in notify, beside the faults of the runtime.

NotifyFault
└── UnknownTown       a row or record is about a municipality whose folder is not here
"""

from __future__ import annotations

from services.runtime.errors import RuntimeFault


class NotifyFault(RuntimeFault):
    """Root of notify's own faults; none is healed by waiting."""


class UnknownTown(NotifyFault):
    """No folder of this municipality is known here: put it under MUNICIPIO_MUNICIPALITIES_DIR."""

    def __init__(self, municipality: str) -> None:
        super().__init__(f"no folder of municipality {municipality!r} is known here")
        self.municipality = municipality
