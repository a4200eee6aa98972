"""Topic ``reports``: what people say they see, and what triage makes of it. Nothing in it names a person."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Reason
from schemas.vocabulary import ReportChannel, ReportVerdict

MAX_TEXT = 1000
MAX_ADDRESS = 200

Category = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{0,31}$")]


class ReportReceived(Event):
    """Somebody reported something: a neighbour, or an operator of 911.

    Attributes:
        report_id: Given by ingest, not to be guessed: it opens the report's public status.
        category: As it was sent, in capitals; a word that no list knows is kept and judged by its text.
        text: Without telephone numbers, papers, plates, links and what looks like a name.
        withheld: The text accuses or speaks of violence between people: it was kept nowhere, and whoever
            reported was sent to 911.
        zone: Id of the town's zone, where the report named one.
        lat, lon: Rounded to four decimals, some eleven metres.
        source: ``key:<name>`` of whose key it came with, or ``public``.
    """

    TYPE: ClassVar[str] = "report.received"

    report_id: Id
    category: Category
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    withheld: bool = False
    zone: Id | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    address: Annotated[str, Field(max_length=MAX_ADDRESS)] | None = None
    reported_at: Moment
    received_at: Moment
    channel: ReportChannel
    source: Id


class ReportJudged(Event):
    """Triage looked at a report; ``reasons`` say why it alerts, or why it does not.

    Attributes:
        incident_id: Whereto it belongs, for ``opened`` and ``joined``.
        danger: The danger to life that its words speak of, as a stable word.
    """

    TYPE: ClassVar[str] = "report.judged"

    report_id: Id
    verdict: ReportVerdict
    reasons: tuple[Reason, ...]
    judged_at: Moment
    incident_id: Id | None = None
    zone: Id | None = None
    danger: Id | None = None
