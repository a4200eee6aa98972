"""``python -m services.console``: the service; ``… relay``: its relay alone; ``… rebuild``: read anew."""

from __future__ import annotations

import sys

from services.runtime.lean import without_rich


def main(words: list[str]) -> None:
    """Run what the words name."""
    without_rich()
    from services.console import service_process

    service_process.main(words)


if __name__ == "__main__":
    main(sys.argv[1:])
