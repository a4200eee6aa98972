"""What a report comes to: an incident, a part of one, or a reasoned verdict that nobody is called."""

from __future__ import annotations

import pytest

from schemas.vocabulary import EvidenceSource, ReportVerdict
from services.triage.domain.engine import fold
from services.triage.domain.inputs import Decision, Report
from services.triage.domain.report import Judged, judge
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import State, TownState, decode_town, empty, encode
from tests.unit.triage.town import at, load, reading


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return book_of(load(tmp_path_factory.mktemp("towns")))


@pytest.fixture
def town() -> TownState:
    return TownState("villa")


def report(text: str = "", category: str = "OTRO", *, minute: float = 0, **said: object) -> Report:
    fields = {"zone": "z-001", **said}
    moment = at(minute)
    return Report(
        report_id=f"r-{minute}",
        category=category,
        reported_at=moment,
        received_at=moment,
        at=moment,
        text=text,
        **fields,  # type: ignore[arg-type] # what a test says
    )


def codes(judged: Judged) -> list[str]:
    return [reason.code for reason in judged.reasons]


def flooded(book: Book, metres: float = 3.1) -> State:
    state = empty("villa")
    fold(book, state, [reading(1, 0, metres)])
    return state


def test_danger_alone_opens_an_incident_at_level_2_and_no_higher(book: Book, town: TownState) -> None:
    """Above it residents are spoken to: there a person or a gauge must stand behind it."""
    judged = judge(book, town, report("niño atrapado por el río"))
    (incident,) = town.incidents.values()
    assert (ReportVerdict.OPENED, "child_trapped", 2, "flood") == (
        judged.verdict,
        judged.danger,
        incident.level,
        incident.hazard,
    )
    snapshot = judged.changes[-1].snapshot
    assert snapshot is not None
    assert (("z-001",), 0) == (snapshot.zones, snapshot.corroboration)
    (row,) = snapshot.evidence
    assert (EvidenceSource.REPORT, "niño atrapado", "z-001") == (row.source, row.what, row.zone)


def test_danger_joins_the_gauges_incident_without_moving_its_level(book: Book) -> None:
    state = flooded(book)
    before = next(iter(state.town.incidents.values()))
    judged = judge(book, state.town, report("niño atrapado", minute=5))
    assert (ReportVerdict.JOINED, before.incident_id, 3) == (judged.verdict, judged.incident_id, before.level)
    assert ["report.danger", "report.joined"] == codes(judged)
    snapshot = judged.changes[-1].snapshot
    assert snapshot is not None
    assert (1, 2) == (snapshot.corroboration, len(snapshot.evidence))


def test_the_gauge_joins_what_people_reported_first(book: Book, town: TownState) -> None:
    judge(book, town, report("se desbordó la quebrada"))
    state = State(town=town)
    fold(book, state, [reading(1, 5, 3.1)])
    (incident,) = town.incidents.values()
    assert (3, 1) == (incident.level, len(incident.reports))


def test_another_zone_is_another_incident(book: Book) -> None:
    state = flooded(book)
    judge(book, state.town, report("niño atrapado", minute=5, zone="z-002"))
    assert 2 == len(state.town.incidents)


def test_the_point_says_the_zone(book: Book, town: TownState) -> None:
    """Where neither point nor words know one, the incident has none and still calls."""
    assert "z-002" == judge(book, town, report("niño atrapado", zone=None, lat=13.502, lon=-88.893)).zone
    lost = judge(book, town, report("niño atrapado", minute=1, zone=None, lat=-13.5, lon=88.9))
    assert (None, ReportVerdict.OPENED) == (lost.zone, lost.verdict)


@pytest.mark.parametrize("words", ["frente a la zona 002", "ZONA 002, pasaje 3"])
def test_the_address_says_the_zone(book: Book, town: TownState, words: str) -> None:
    assert "z-002" == judge(book, town, report("niño atrapado", zone=None, address=words)).zone


def test_a_burst_of_the_same_words_makes_few_versions(book: Book, town: TownState) -> None:
    """The count is told at 1, 2, 3, 5, 10 …; nobody is called again for it."""
    judged = [judge(book, town, report("niño atrapado", minute=minute)) for minute in range(40)]
    versions = [change.snapshot.version for one in judged for change in one.changes if change.snapshot]
    assert [1, 2, 3, 4, 5, 6] == versions
    assert 1 == sum("report.danger" in codes(one) for one in judged)
    (incident,) = town.incidents.values()
    assert (40, 1) == (incident.reports[0].count, incident.material_version)


def test_a_new_danger_makes_an_older_decision_stale(book: Book) -> None:
    """Who wanted to close saw no trapped child."""
    state = flooded(book)
    (incident_id,) = state.town.incidents
    judge(book, state.town, report("niño atrapado", minute=5))
    closes = Decision("d-1", incident_id, "lower", "ana", at(6), at(6), version=1, level=2)
    _, changes = fold(book, state, [closes])
    assert "decision.stale" == changes[-1].reasons[0].code


@pytest.mark.parametrize(
    ("text", "category", "code"),
    [
        ("foco fundido", "ALUM", "report.noted"),
        ("no hay nadie atrapado", "OTRO", "report.denied"),
        ("no hay nadie atrapado", "RESCATE", "report.denied"),
        ("algo raro", "PLATILLO-VOLADOR", "report.noted"),
        ("la esquina está encharcada", "ENCH", "report.noted"),
    ],
)
def test_what_alerts_nobody_has_a_reason(
    book: Book, town: TownState, text: str, category: str, code: str
) -> None:
    judged = judge(book, town, report(text, category))
    assert (ReportVerdict.NOTED, code, {}) == (judged.verdict, codes(judged)[-1], town.incidents)
    (change,) = judged.changes
    assert ("report", None) == (change.kind, change.snapshot)


def test_unknown_category_falls_back_and_its_words_still_call(book: Book, town: TownState) -> None:
    assert ReportVerdict.OPENED is judge(book, town, report("niño atrapado", "NUEVA")).verdict


def test_an_emergency_category_calls_without_words(book: Book, town: TownState) -> None:
    judged = judge(book, town, report(category="GAS"))
    assert (ReportVerdict.OPENED, "gas") == (judged.verdict, judged.danger)


def test_a_puddle_joins_the_flood_and_wakes_nobody(book: Book) -> None:
    state = flooded(book)
    judged = judge(book, state.town, report("la esquina está encharcada", "ENCH", minute=5))
    assert (ReportVerdict.JOINED, None, ["report.joined"]) == (judged.verdict, judged.danger, codes(judged))


def test_violence_between_people_is_referred_and_judged_by_nobody(book: Book, town: TownState) -> None:
    judged = judge(book, town, report(withheld=True, zone=None))
    assert (ReportVerdict.REFERRED, {}) == (judged.verdict, town.incidents)


def test_same_inputs_yield_the_same_ids_and_the_state_survives_its_row(book: Book) -> None:
    inputs = [reading(1, 0, 2.6), report("niño atrapado", minute=5), report("huele a gas", minute=6)]
    once, again = empty("villa"), empty("villa")
    fold(book, once, inputs)
    for each in inputs:
        again = State(town=decode_town(encode(again.town)), sensors=again.sensors)
        fold(book, again, [each])
    assert once.town == again.town
