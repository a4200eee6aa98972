"""What the public is told of a report is true at every step."""

from __future__ import annotations

import pytest

from services.ingest.domain.status import Report, Status
from tests.unit.ingest.conftest import START


@pytest.mark.parametrize(
    ("verdict", "is_closed", "status"),
    [
        (None, False, Status.RECEIVED),
        ("noted", False, Status.UNDER_REVIEW),
        ("a word of a newer release", False, Status.UNDER_REVIEW),
        ("referred", False, Status.REFERRED),
        ("opened", False, Status.IN_ATTENTION),
        ("joined", False, Status.IN_ATTENTION),
        ("joined", True, Status.CLOSED),
    ],
)
def test_status_follows_verdict_and_incident(verdict: str | None, is_closed: bool, status: Status) -> None:
    closed_at = START if is_closed else None
    report = Report("alta~1", "OTRO", None, START, START, verdict, None, closed_at)
    assert status is report.status
    assert report.says
