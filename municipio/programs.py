"""Which processes one copy of the town consists of, and what each is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from municipio.keyring import SERVICES
from municipio.paths import MUNICIPALITIES
from municipio.ports import Ports
from municipio.supervision import Program

HOST: Final = "127.0.0.1"
PREFIX: Final = "MUNICIPIO_"
# Told to one process alone, or only to ourselves: a service never learns the address of a neighbour's tables.
_NOT_INHERITED: Final = (
    "DATABASE_URL",
    "INGEST_DATABASE_URL",
    "TRIAGE_DATABASE_URL",
    "NOTIFY_DATABASE_URL",
    "CONSOLE_DATABASE_URL",
    "OPERATOR_KEY_FILE",
)


@dataclass(frozen=True)
class Copy:
    """One running copy: its folder, its ports, its towns, and what it does not start itself.

    Attributes:
        database_url: PostgreSQL server; ``None`` keeps one SQLite file per service in ``data``.
        kafka_bootstrap: A cluster that somebody else runs; ``None`` starts our own broker.
        kafka_logins: Folder with the password of each principal of that cluster, in a file of its name;
            ``None`` leaves what the environment says to all.
        further: Ports of further replicas of a service, from slot 1 on, which start when told to.
        town_clock: Whether services follow ``town_clock.json``; never in production.
        extra: Further environment for every process.
    """

    data: Path
    ports: Ports
    municipalities: Path = MUNICIPALITIES
    database_url: str | None = None
    kafka_bootstrap: str | None = None
    kafka_logins: Path | None = None
    town_clock: bool = True
    carrier: bool = True
    carrier_options: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def clock_file(self) -> Path:
        return self.data / "town_clock.json"

    @property
    def people_file(self) -> Path:
        """Whose phone is which, for the carrier's page; written while the copy starts."""
        return self.data / "phones" / "people.json"

    @property
    def scene_file(self) -> Path:
        return self.data / "phones" / "town.json"

    @property
    def bootstrap(self) -> str:
        return self.kafka_bootstrap or f"{HOST}:{self.ports.kafka}"

    @property
    def urls(self) -> dict[str, str]:
        """Where each process answers, by its name."""
        names = [*SERVICES, "door", *(["carrier"] if self.carrier else [])]
        return {name: f"http://{HOST}:{getattr(self.ports, name)}" for name in names}

    @property
    def replica_urls(self) -> dict[str, str]:
        """Where each further replica answers, by its name."""
        return {
            f"{service}-{slot}": f"http://{HOST}:{port}"
            for service, ports in self.further.items()
            for slot, port in enumerate(ports, start=1)
        }

    @property
    def used_ports(self) -> set[str]:
        """The ports that this copy listens on itself."""
        broker = set() if self.kafka_bootstrap else {"kafka", "kafka_controller"}
        return set(self.urls) | broker


def programs(copy: Copy) -> list[Program]:
    """Return every process of the copy."""
    services = [_service(copy, name) for name in SERVICES]
    relays = [_relay(copy, name) for name in SERVICES] if copy.database_url else []
    door = Program("door", _python("services.notify", "door"))
    broker = [] if copy.kafka_bootstrap else [_broker(copy)]
    carrier = [_carrier(copy)] if copy.carrier else []
    replicas = [_replica(copy, name, url) for name, url in copy.replica_urls.items()]
    return [*broker, *carrier, *services, *relays, door, *replicas]


def environment(copy: Copy, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what every process is told; what a person set for carrier, secrets and logs is kept."""
    told = {
        name: value for name, value in inherited.items() if name.removeprefix(PREFIX) not in _NOT_INHERITED
    }
    for name, value in _defaults(copy).items():
        if not told.get(PREFIX + name.removesuffix("_FILE")) and not told.get(PREFIX + name):
            told[PREFIX + name] = value
    told |= {PREFIX + name: value for name, value in _wiring(copy).items()}
    told |= {"PYTHONUNBUFFERED": "1", **copy.extra}
    return told


def inherited_environment() -> dict[str, str]:
    return dict(os.environ)


def database_url_file(copy: Copy, service: str) -> Path:
    return copy.keys / "database" / f"{service}.url"


def _defaults(copy: Copy) -> dict[str, str]:
    told = {
        "ADMIN_TOKEN_FILE": str(copy.keys / "admin_token"),
        "PHONE_KEY_FILE": str(copy.keys / "phone_key"),
    }
    if copy.carrier:
        # Of the fake carrier, which opens nothing: both sides read it from the environment.
        told |= {
            name.upper(): (copy.keys / name).read_text().strip()
            for name in ("twilio_account_sid", "twilio_auth_token")
        }
    return told


def _wiring(copy: Copy) -> dict[str, str]:
    told = {
        "KAFKA_BOOTSTRAP": copy.bootstrap,
        "DATA_DIR": str(copy.data),
        "KEYS_DIR": str(copy.keys),
        "MUNICIPALITIES_DIR": str(copy.municipalities),
        "RELAY": "outside" if copy.database_url else "inside",
    }
    for name, url in copy.urls.items():
        told |= {f"{name.upper()}_URL": url, f"{name.upper()}_PORT": url.rpartition(":")[2]}
    if copy.town_clock:
        told["TOWN_CLOCK_FILE"] = str(copy.clock_file)
    if copy.carrier:
        told |= {"TWILIO_API_BASE": copy.urls["carrier"], "PUBLIC_URL": copy.urls["door"]}
    return told


def _service(copy: Copy, name: str) -> Program:
    return Program(name, _python(f"services.{name}"), environment=_own(copy, name))


def _replica(copy: Copy, name: str, url: str) -> Program:
    service, _, slot = name.rpartition("-")
    own = {PREFIX + "SLOT": slot, f"{PREFIX}{service.upper()}_PORT": url.rpartition(":")[2]}
    told = _own(copy, service) | own
    return Program(name, _python(f"services.{service}"), environment=told, autostart=False)


def _relay(copy: Copy, name: str) -> Program:
    return Program(f"{name}-relay", _python(f"services.{name}", "relay"), environment=_own(copy, name))


def _own(copy: Copy, service: str) -> dict[str, str]:
    """Return what only this service is told: its database, and who it is for the broker."""
    told = {}
    if copy.database_url:
        told[f"{service.upper()}_DATABASE_URL_FILE"] = str(database_url_file(copy, service))
    if copy.kafka_logins:
        told |= {"KAFKA_USERNAME": service, "KAFKA_PASSWORD_FILE": str(copy.kafka_logins / service)}
    return {PREFIX + name: value for name, value in told.items()}


def _broker(copy: Copy) -> Program:
    place = ["--data", str(copy.data / "kafka")]
    ports = ["--port", str(copy.ports.kafka), "--controller-port", str(copy.ports.kafka_controller)]
    return Program("kafka", [*_python("municipio.broker", "run"), *place, *ports], group="broker")


def _carrier(copy: Copy) -> Program:
    options = {
        "--port": str(copy.ports.carrier),
        "--message-in": copy.urls["door"] + "/twilio/message-in",
        "--ledger": str(copy.data / "carrier.ledger"),
        "--people": str(copy.people_file),
        "--town": str(copy.scene_file),
        **({"--town-clock": str(copy.clock_file)} if copy.town_clock else {}),
    }
    words = [word for pair in options.items() for word in pair]
    return Program(
        "carrier", [*_python("tests.support.fake_twilio"), *words, *copy.carrier_options], group="carrier"
    )


def _python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]
