"""Where Kafka is, and who a process says it is there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from faststream.security import BaseSecurity

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """What a client has to know of the cluster.

    Attributes:
        ca_path: Certificates that may sign a broker's; ``None`` trusts those of the machine.
    """

    bootstrap: str
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_path: Path | None = None

    @property
    def is_sasl(self) -> bool:
        return self.security.startswith("SASL")

    def client(self) -> dict[str, Any]:
        """Return the arguments by which any client of aiokafka reaches the cluster."""
        told: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if self.is_sasl:
            told |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return told | ({"ssl_context": self._tls()} if self._is_encrypted else {})

    def faststream(self) -> BaseSecurity | None:
        """Return the same for a broker of FastStream."""
        from faststream import security

        kinds = {
            "SCRAM-SHA-512": security.SASLScram512,
            "SCRAM-SHA-256": security.SASLScram256,
            "PLAIN": security.SASLPlaintext,
        }
        tls = self._tls() if self._is_encrypted else None
        if self.is_sasl:
            return kinds[self.mechanism](
                self.username, self.password, use_ssl=self._is_encrypted, ssl_context=tls
            )
        return security.BaseSecurity(use_ssl=True, ssl_context=tls) if tls else None

    @property
    def _is_encrypted(self) -> bool:
        return self.security.endswith("SSL")

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_path)
