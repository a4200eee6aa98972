"""Keep out of a service's process what it never uses."""

from __future__ import annotations

import sys
from typing import cast


def without_rich() -> None:
    """Call it before structlog is imported: it loads rich for tracebacks in colour, ours are plain text.

    With pygments and the rest that is 4 MB in each process, and a tenth of a second of its start.
    """
    cast("dict[str, object]", sys.modules)["rich"] = None
