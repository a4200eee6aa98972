"""Refusals in the shape that Twilio gives them.

Refused
└── the only one: ``code`` says which, ``status`` is the HTTP status.
"""

from __future__ import annotations


class Refused(Exception):
    """The carrier does not take this request.

    Attributes:
        code: Twilio's error code.
        status: HTTP status of the answer.
        retry_after_s: For 429: what the ``Retry-After`` header says.
    """

    def __init__(self, code: int, message: str, status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    def json(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
