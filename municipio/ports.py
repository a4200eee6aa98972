"""Which port each process listens on, and whether it is free."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass, fields

DEFAULT_BASE = 8080


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one copy; another copy takes another base and shares nothing with this one."""

    console: int
    ingest: int
    triage: int
    door: int
    notify: int
    carrier: int
    kafka: int
    kafka_controller: int

    @staticmethod
    def from_base(base: int = DEFAULT_BASE) -> Ports:
        """Return the documented ports, moved: 8080 gives ingest on 8081 and Kafka on 9092."""
        return Ports(
            console=base,
            ingest=base + 1,
            triage=base + 2,
            door=base + 3,
            notify=base + 4,
            carrier=base + 10,
            kafka=base + 1012,
            kafka_controller=base + 1013,
        )

    @staticmethod
    def free() -> Ports:
        """Return ports that nobody listens on now, for tests and the demo."""
        return Ports(*free_ports(len(fields(Ports))))

    def taken(self, used: set[str]) -> list[str]:
        """Return ``name port`` of each port in ``used`` that somebody listens on."""
        return [f"{name} {port}" for name, port in asdict(self).items() if name in used and is_taken(port)]


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
        return False


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, each another one."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
