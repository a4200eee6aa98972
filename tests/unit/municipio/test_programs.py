"""Which processes a copy has, and what each of them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from municipio.keyring import make_keys
from municipio.ports import Ports, free_ports, is_taken
from municipio.programs import Copy, environment, programs


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy with its keys made, on the documented ports."""
    towns = tmp_path / "towns"
    towns.mkdir()
    made = Copy(tmp_path / "data", Ports.from_base(), towns)
    make_keys(made.keys, towns)
    return made


def names(copy: Copy) -> list[str]:
    return [program.name for program in programs(copy)]


def test_the_documented_ports() -> None:
    """DOORS promises these, and Kafka's own."""
    ports = Ports.from_base()
    assert (8080, 8081, 8082, 8083, 8084) == (
        ports.console,
        ports.ingest,
        ports.triage,
        ports.door,
        ports.notify,
    )
    assert (8090, 9092) == (ports.carrier, ports.kafka)


def test_sqlite_keeps_the_relay_inside(copy: Copy) -> None:
    """One process per service: SQLite has one writer."""
    assert ["kafka", "carrier", "ingest", "triage", "notify", "console", "door"] == names(copy)
    assert "inside" == environment(copy, {})["MUNICIPIO_RELAY"]


def test_postgresql_gives_each_service_a_relay_and_its_own_database(tmp_path: Path, copy: Copy) -> None:
    """No process is told the address of a neighbour's tables, nor the administrator's."""
    on_server = Copy(copy.data, copy.ports, copy.municipalities, database_url="postgresql://admin@h/db")
    relays = [program for program in programs(on_server) if program.name.endswith("-relay")]
    assert ["ingest-relay", "triage-relay", "notify-relay", "console-relay"] == [
        relay.name for relay in relays
    ]
    triage = next(program for program in programs(on_server) if program.name == "triage")
    assert ["MUNICIPIO_TRIAGE_DATABASE_URL_FILE"] == list(triage.environment)
    told = environment(on_server, {"MUNICIPIO_DATABASE_URL": "postgresql://admin:x@h/db"})
    assert not [name for name in told if name.endswith("DATABASE_URL")]


def test_a_cluster_from_outside_starts_no_broker(copy: Copy) -> None:
    """And its port is not looked at."""
    outside = Copy(copy.data, copy.ports, copy.municipalities, kafka_bootstrap="10.0.0.1:9092")
    assert "kafka" not in names(outside)
    assert "kafka" not in outside.used_ports
    assert "10.0.0.1:9092" == environment(outside, {})["MUNICIPIO_KAFKA_BOOTSTRAP"]


def test_each_service_is_somebody_of_its_own_to_a_cluster_that_asks(copy: Copy) -> None:
    """It learns where its own password lies, and nobody else's."""
    logins = copy.data / "logins"
    outside = Copy(
        copy.data, copy.ports, copy.municipalities, kafka_bootstrap="10.0.0.1:9093", kafka_logins=logins
    )
    told = {program.name: dict(program.environment) for program in programs(outside)}
    assert {
        "MUNICIPIO_KAFKA_USERNAME": "triage",
        "MUNICIPIO_KAFKA_PASSWORD_FILE": str(logins / "triage"),
    } == told["triage"]
    assert {} == told["door"]


def test_production_has_neither_fake_carrier_nor_town_clock(copy: Copy) -> None:
    """The account of the true carrier is the person's own."""
    real = Copy(copy.data, copy.ports, copy.municipalities, town_clock=False, carrier=False)
    told = environment(real, {"MUNICIPIO_TWILIO_AUTH_TOKEN_FILE": "/secret"})
    assert "carrier" not in names(real)
    assert "MUNICIPIO_TOWN_CLOCK_FILE" not in told
    assert "MUNICIPIO_TWILIO_API_BASE" not in told
    assert "/secret" == told["MUNICIPIO_TWILIO_AUTH_TOKEN_FILE"]


def test_what_a_person_set_is_kept(copy: Copy) -> None:
    """Our own admin token is only for those who have none."""
    told = environment(copy, {"MUNICIPIO_ADMIN_TOKEN": "mine", "PATH": "/bin"})
    assert "mine" == told["MUNICIPIO_ADMIN_TOKEN"]
    assert "MUNICIPIO_ADMIN_TOKEN_FILE" not in told
    assert "/bin" == told["PATH"]


def test_an_operators_key_is_not_given_to_services(copy: Copy) -> None:
    """It belongs to the person at the keyboard."""
    assert "MUNICIPIO_OPERATOR_KEY_FILE" not in environment(copy, {"MUNICIPIO_OPERATOR_KEY_FILE": "/k"})


def test_a_taken_port_is_seen() -> None:
    """Only ports that somebody listens on count."""
    import socket

    port = free_ports(1)[0]
    assert not is_taken(port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_taken(port)


def test_further_replicas_wait_to_be_told(copy: Copy) -> None:
    """Each has a slot and a port of its own, its service's database, and does not start by itself."""
    with_more = Copy(
        copy.data,
        copy.ports,
        copy.municipalities,
        database_url="postgresql://admin@h/db",
        further={"triage": [9101, 9102], "notify": [9103]},
    )
    replicas = {program.name: program for program in programs(with_more) if not program.autostart}
    assert ["triage-1", "triage-2", "notify-1"] == list(replicas)
    told = replicas["triage-2"].environment
    assert ("2", "9102") == (told["MUNICIPIO_SLOT"], told["MUNICIPIO_TRIAGE_PORT"])
    assert "MUNICIPIO_TRIAGE_DATABASE_URL_FILE" in told
    assert "http://127.0.0.1:9103" == with_more.replica_urls["notify-1"]
