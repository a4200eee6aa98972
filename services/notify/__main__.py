"""``python -m services.notify``: the service; ``… relay``: its relay alone; ``… door``: the webhook door."""

from __future__ import annotations

import sys

from services.runtime.lean import without_rich


def main(words: list[str]) -> None:
    """Run what the words name. The door loads none of the service: it has to be there first."""
    without_rich()
    if words == ["door"]:
        from services.notify.inbound import door_process

        door_process.main()
    else:
        from services.notify import service_process

        service_process.main(words)


if __name__ == "__main__":
    main(sys.argv[1:])
