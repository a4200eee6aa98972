"""``python -m services.ingest``: the service; ``… relay``: its relay alone."""

from __future__ import annotations

import sys

from services.runtime.lean import without_rich


def main(words: list[str]) -> None:
    """Run what the words name."""
    without_rich()
    from services.ingest import service_process

    service_process.main(words)


if __name__ == "__main__":
    main(sys.argv[1:])
