"""Whether a webhook request is the carrier's: its signature over our public URL and the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from twilio.request_validator import (  # type: ignore[import-untyped]  # the SDK ships no types
    HMAC_SHA1,
    RequestValidator,
)

HEADER: Final = "X-Twilio-Signature"
MOST_FIELDS: Final = 200


class BadForm(ValueError):
    """The body is not a URL-encoded form of a bearable size."""


def form_of(body: bytes) -> FormData:
    """Return the fields of a body, every value kept as it came.

    Raises:
        BadForm: Not UTF-8, or more than 200 fields.
    """
    try:
        return FormData([*parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)])
    except ValueError as err:
        raise BadForm("not a form") from err


class SignatureCheck:
    """Checks against the address that is configured, never against what the request says of itself.

    The algorithm is pinned: a request may not choose one by a header of its own. Facts: RELIABILITY §3.3.

    Args:
        public_url: Where the carrier reaches us.
        tokens: The present auth token and, while they are rotated, the previous one.
    """

    def __init__(self, public_url: str, tokens: Sequence[str]) -> None:
        self._base = public_url.rstrip("/")
        self._validators = [RequestValidator(token) for token in tokens]

    def holds(self, path_and_query: str, form: FormData, signature: str | None) -> bool:
        """Say whether one of our tokens signed this; a missing signature is a wrong one."""
        if not signature:
            return False
        url = self._base + path_and_query
        return any(each.validate(url, form, signature, HMAC_SHA1) for each in self._validators)
