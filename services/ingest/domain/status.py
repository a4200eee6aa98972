"""Say how a report stands, to whoever has its number: true to the end, and about nobody. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.vocabulary import ReportVerdict


class Status(StrEnum):
    """The life of a report, as the public sees it."""

    RECEIVED = "received"
    UNDER_REVIEW = "under_review"
    IN_ATTENTION = "in_attention"
    REFERRED = "referred"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a report.

    Attributes:
        verdict: None while triage has not looked at it.
        closed_at: When a person closed the incident that it belongs to.
    """

    report_id: str
    category: str
    zone: str | None
    reported_at: datetime
    received_at: datetime
    verdict: str | None = None
    judged_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def status(self) -> Status:
        if self.verdict is None:
            return Status.RECEIVED
        verdict = ReportVerdict(self.verdict)
        if verdict is ReportVerdict.REFERRED:
            return Status.REFERRED
        if verdict in {ReportVerdict.OPENED, ReportVerdict.JOINED}:
            return Status.IN_ATTENTION if self.closed_at is None else Status.CLOSED
        return Status.UNDER_REVIEW

    @property
    def updated_at(self) -> datetime:
        return self.closed_at or self.judged_at or self.received_at

    @property
    def says(self) -> str:
        """Return the status as people read it."""
        return _SAYS[self.status]


EMERGENCY = "Si alguien está en peligro ahora, llame al 911."
_SAYS = {
    Status.RECEIVED: "Recibido. Todavía no se ha revisado.",
    Status.UNDER_REVIEW: "Revisado: no se trató como emergencia. Queda para los servicios del municipio.",
    Status.IN_ATTENTION: "Se sumó a un incidente abierto que atienden las personas de turno.",
    Status.REFERRED: "Lo que cuenta corresponde al 911: llame al 911. Su texto no se guardó.",
    Status.CLOSED: "Una persona responsable cerró el incidente al que se sumó su reporte.",
}
