"""The pages behind a link: they work on the smallest screen, without a script, and leave no trace."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.vocabulary import Purpose
from services.notify.inbound import link_pages
from services.notify.outbound.link_token import Link

ENDS = datetime(2026, 5, 5, 20, tzinfo=UTC)


@pytest.mark.parametrize("purpose", [Purpose.PAGE, Purpose.AUTHORITY])
def test_the_question_offers_two_answers_and_no_script(purpose: Purpose) -> None:
    """Spanish first; nothing on it comes from outside or stays in a cache."""
    link = Link("ejemplo", "ana", "6f0d5a0e-9a57-5d3a-8a3e-3f1f6c2b7d10", purpose, "es", ENDS)
    answer = link_pages.question(link)
    page = bytes(answer.body).decode()
    assert (200, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert 'lang="es"' in page
    assert "width=device-width" in page
    assert 2 == page.count("<button")
    assert "<script" not in page
    assert "http" not in page
    assert "ana" not in page


@pytest.mark.parametrize(("what", "status"), [("expired", 410), ("altered", 403), ("answered", 200)])
def test_every_other_end_has_its_own_page(what: str, status: int) -> None:
    """A person reads what happened and what to do instead."""
    answer = link_pages.said(what, status)
    assert status == answer.status_code
    assert b"<button" not in answer.body
