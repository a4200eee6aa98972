"""What can go wrong in triage, beside the faults of the runtime.

TriageFault
├── UnknownState      a saved row was written by a newer release: upgrade before starting
└── BrokenInvariant   our own bookkeeping contradicts itself: crash and start again from the rows
"""

from __future__ import annotations

from services.runtime.errors import RuntimeFault


class TriageFault(RuntimeFault):
    """Root of triage's own faults; none is healed by waiting."""


class UnknownState(TriageFault):
    """A row's version is newer than this release reads."""


class BrokenInvariant(TriageFault):
    """What is saved contradicts what was decided."""
