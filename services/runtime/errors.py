"""What can go wrong in any process.

RuntimeFault
├── Retriable                 a dependency is busy or away: wait and try again
│   ├── DatabaseDown          refused, reset, shutting down
│   ├── DatabaseBusy          locked, deadlocked, out of connections
│   ├── DatabaseFull          no space left on the disk
│   ├── Fenced                another process owns the partition or the lease now
│   └── ReadFrom              records are missing here that stand before these: read from there
├── Refused                   this record goes to the dead letters, the partition goes on
│   ├── Unsigned              an authority topic, no signature: an attack, audited and paged
│   └── Forged                an authority topic, a signature that does not hold
├── ParkingFull               too much waits for what is not known: answer whoever asked, keep no more
├── OursMalformed             our own topic carries what we cannot read: that consumer stops for good
├── AlreadyRunning            a second process on the same SQLite file
└── WrongSetting              the process cannot start, the message names the setting
"""

from __future__ import annotations

from typing import ClassVar


class RuntimeFault(Exception):
    """Root of the tree. ``retriable`` says whether the same call may succeed later."""

    retriable: ClassVar[bool] = False


class Retriable(RuntimeFault):
    """A dependency is busy or away; nothing of this attempt was kept, or keeping it twice does no harm."""

    retriable = True


class DatabaseDown(Retriable):
    """The database does not answer. A commit that ends so may have happened."""


class DatabaseBusy(Retriable):
    """The database answers, but not now."""


class DatabaseFull(Retriable):
    """No space is left; what was answered before is kept."""


class Fenced(Retriable):
    """Another process owns this partition or lease: roll back, forget what is cached, do not ack."""


class ReadFrom(Retriable):
    """What was made of a partition ends before these records: they come again after the missing ones.

    Attributes:
        places: Topic and partition, with the offset to read from.
    """

    def __init__(self, places: dict[tuple[str, int], int]) -> None:
        said = ", ".join(f"{topic}[{partition}]@{at}" for (topic, partition), at in sorted(places.items()))
        super().__init__(f"read again from {said}")
        self.places = places


class Refused(RuntimeFault):
    """A record that no handler may act on.

    Attributes:
        reason: Stable dotted word for the dead-letter table, ``envelope.id``.
        detail: What is wrong, without the record's own words.
        is_attack: It must be audited and paged, not only kept.
    """

    is_attack: ClassVar[bool] = False

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Unsigned(Refused):
    """A record of authority without a signature."""

    is_attack = True

    def __init__(self, detail: str = "the record carries no signature") -> None:
        super().__init__("signature.absent", detail)


class Forged(Refused):
    """A record of authority whose signature does not hold, or whose signer may not write it."""

    is_attack = True

    def __init__(self, detail: str) -> None:
        super().__init__("signature.forged", detail)


class ParkingFull(RuntimeFault):
    """As many records wait as are kept, for one thing or in all."""


class OursMalformed(RuntimeFault):
    """A record on a topic that only we write cannot be read; skipping it would lose it."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        super().__init__(
            f"{topic}[{partition}]@{offset} cannot be read: {reason}; fix the producer or upgrade"
        )
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.reason = reason


class AlreadyRunning(RuntimeFault):
    """Another process holds the SQLite file; SQLite serves one process per service."""


class WrongSetting(RuntimeFault):
    """A setting is absent or wrong; the message names it in one line."""
