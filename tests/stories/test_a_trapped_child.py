"""What people report: a trapped child calls whoever is on duty, a burst of lies tells residents nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.stories.conftest import OpenTown
from tests.stories.scenes import incident_of, neighbours, warning_of
from tests.support.town import Town

CHILD = "Hay un niño atrapado en el techo, soy Juan Pérez, llámenme al 7012-3456"


def water_rises(town: Town) -> str:
    """Let one gauge of z-001 reach level 2, and return its incident."""
    town.gauge("g-001").sends(2.6)
    town.phone("ana").expects_sms("Rio Claro", "Zona 001").replies("OK {code}")
    return str(incident_of(town)["incident_id"])


def test_a_trapped_child_joins_the_gauges_incident_and_its_status_ends_true(town: Town) -> None:
    """Who is on duty reads it in the same incident; who reported sees it through until a person closes."""
    incident_id = water_rises(town)
    report = town.reports(CHILD, zone="z-001")
    town.phone("ana").expects_sms("reporte: nino atrapado", "Zona 001").replies("OK {code}")
    assert "in_attention" == town.report_status(report)["status"]
    held = incident_of(town)
    assert (incident_id, 2, []) == (held["incident_id"], held["level"], town.warnings())
    town.wait(minutes=5)
    town.gauge("g-001").sends(1.0)
    assert "applied" == town.decides("ana", incident_id, "close")
    status = town.report_status(report)
    assert ("closed", "incident_closed") == (status["status"], status["outcome"]["code"])


def test_nothing_of_who_reported_is_found_anywhere(town: Town) -> None:
    """Neither name nor number stands in any database or on any topic, nor in what the public sees."""
    report = town.reports(CHILD, zone="z-001", contact="Juan Pérez 7012-3456")
    town.phone("ana").expects_sms("reporte: nino atrapado").replies("OK {code}")
    everywhere = json.dumps(town.report_status(report), ensure_ascii=False).encode()
    everywhere += b"".join(record.value for log in town.pipe.records.values() for record in log)
    for service in ("ingest", "triage", "notify"):
        everywhere += (town.data / f"{service}.sqlite").read_bytes()
        everywhere += (town.data / f"{service}.sqlite-wal").read_bytes()
    assert "nombre" in everywhere.decode("utf-8", "ignore")
    for personal in ("Juan P", "7012-3456", "70123456"):
        assert personal.encode() not in everywhere


def test_a_burst_of_alarms_tells_residents_nothing(write: Callable[..., Path], start: OpenTown) -> None:
    """One person twelve times: one page, level 2, no public word, however long nobody answers."""
    town = start(write(), {"ingest_reports_address_most": 8})
    answers = [town.tries_to_report("¡Auxilio, se lo lleva el río!", zone="z-001") for _ in range(12)]
    assert [201] * 8 + [429] * 4 == [answer.status_code for answer in answers]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[8:])
    town.phone("ana").expects_sms("reporte: el agua arrastra a alguien").stays_silent()
    town.wait(minutes=2)
    town.phone("ana").expects_call("arrastra").stays_silent()
    town.wait(hours=3)
    neighbours(town).expects_nothing()
    assert (2, "flood", []) == (incident_of(town)["level"], incident_of(town)["hazard"], town.warnings())


def test_citizens_never_count_for_safe_release(town: Town) -> None:
    """One gauge at level 3 and three people: still one site of two, so nothing leaves without a person."""
    for _ in range(3):
        town.reports("se está inundando la casa", zone="z-001")
    ana = town.phone("ana")
    ana.expects_sms("reporte: agua dentro de una casa").stays_silent()
    town.gauge("g-001").sends(3.1)
    town.phone("brigada-norte").expects_sms("Perifonear")
    ana.expects_sms("authority", "reporte: agua dentro de una casa", "Rio Claro 3.1").stays_silent()
    town.wait(minutes=4)
    ana.expects_call("agua").stays_silent()
    town.phone("beto").expects_call("agua").stays_silent()
    town.phone("beto").expects_sms("1 de 2 sitios").stays_silent()
    neighbours(town).expects_nothing()
    assert ("requested", 1) == (warning_of(town)["state"], incident_of(town)["corroboration"])


def test_words_that_deny_the_danger_wake_nobody(town: Town) -> None:
    """«No hay nadie atrapado» is good news; so is a lamp that is out. Both have a verdict with its reason."""
    denied = town.reports("La calle está llena de lodo pero no hay nadie atrapado", zone="z-001")
    lamp = town.reports("foco fundido", category="ALUM", zone="z-001")
    assert [] == town.incidents()
    assert ["under_review"] * 2 == [town.report_status(one)["status"] for one in (denied, lamp)]
    codes = [
        row[0] for row in town.rows("triage", "SELECT body FROM change WHERE kind = 'report' ORDER BY seq")
    ]
    assert ["report.denied", "report.noted"] == [json.loads(body)["reasons"][-1]["code"] for body in codes]


def test_the_same_report_twice_and_across_a_restart_is_one(town: Town) -> None:
    """A form sent again, a service killed, offsets lost: one report, one page, the same answer."""
    sent = {"zone": "z-001", "event_id": "formulario-0001", "reported_at": town.clock.now().isoformat()}
    first = town.tries_to_report("cable caído echando chispas", **sent)
    town.phone("ana").expects_sms("reporte: cable con corriente").replies("OK {code}")
    town.restart("ingest")
    town.restart("triage")
    again = town.tries_to_report("cable caído echando chispas", **sent)
    assert (201, 200) == (first.status_code, again.status_code)
    assert (first.json(), first.headers["location"]) == (again.json(), again.headers["location"])
    town.pipe.rewind("triage", "reports")
    town.pipe.rewind("ingest", "incidents")
    town.settle()
    assert 1 == incident_of(town)["version"]
    assert 409 == town.tries_to_report("otra cosa", **sent).status_code


def test_two_towns_reports_never_mix(town: Town) -> None:
    """The same zone id in both: only the town that was named is called."""
    town.reports("mi hijo quedó atrapado", "baja", zone="z-001")
    town.phone("ana", "baja").expects_sms("Villa Baja", "reporte: nino atrapado").replies("OK {code}")
    assert ([], 1) == (town.incidents("alta"), len(town.incidents("baja")))
