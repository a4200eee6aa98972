"""What can go wrong in ingest.

RuntimeFault
├── Retriable
│   └── QueueFull           more requests wait than are taken: the source asks again later
│       └── DoorClosed      what is behind the door is full: the broker's queue, the disk
├── KeyUsedTwice            409: one idempotency key, two reports
└── RequestRefused          a request that is answered with a problem document
    ├── NotReadable         400, 413, 415: the body is no list of readings
    ├── NotKnown            401: no key, a revoked key, a signature that does not hold
    └── OutOfScope          403: the key may not speak for any of this
"""

from __future__ import annotations

from services.runtime.errors import Retriable, RuntimeFault


class QueueFull(Retriable):
    """Nothing of this request was stored."""


class DoorClosed(QueueFull):
    """The message names the bounds that are reached."""


class RequestRefused(RuntimeFault):
    """Nothing of this request was stored, and asking again as it is will not help.

    Attributes:
        status: Of the HTTP answer.
        title: One short sentence, always the same for the same fault.
        detail: What is wrong with this request and what to do.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail


class KeyUsedTwice(RuntimeFault):
    """Another report came under the same idempotency key."""


class NotReadable(RequestRefused):
    """The body cannot be read as readings."""


class NotKnown(RequestRefused):
    """Whoever asks did not prove who they are."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "The key is missing or does not hold", detail)


class OutOfScope(RequestRefused):
    """The key is good, for something else."""

    def __init__(self, detail: str, what: str = "these sensors") -> None:
        super().__init__(403, f"The key may not speak for {what}", detail)
