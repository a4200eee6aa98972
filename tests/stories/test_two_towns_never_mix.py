"""One deployment, two towns, the same numbers, zones and gauges: what is said in one stays in it."""

from tests.stories.scenes import flood, incident_of, neighbours, warning_of
from tests.support.town import Town


def test_reply_from_a_number_of_both_towns_is_told_by_its_code(town: Town) -> None:
    """Ana carries one phone for two towns: her code says which one she authorises."""
    alta, baja = flood(town), flood(town, municipality="baja")
    assert alta.code != baja.code
    baja.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning", "ALCALDIA DE BAJA")
    neighbours(town).expects_nothing()
    assert ("requested", "authorised") == (warning_of(town)["state"], warning_of(town, "baja")["state"])
    alta.replies("NO {code}")
    town.phone("ana").expects_sms("el aviso no sale")
    assert "rejected" == warning_of(town)["state"]
    town.wait(hours=1)


def test_a_river_of_one_town_is_nothing_to_the_other(town: Town) -> None:
    """The same gauge id in the other town raises nothing there."""
    flood(town, municipality="baja").replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("ALCALDIA DE BAJA")
    assert [] == town.incidents("alta")
    assert [] == town.warnings("alta")


def test_a_decision_signed_for_one_town_is_none_in_the_other(town: Town) -> None:
    """The municipality is part of what an operator signs, though the operator has one key in both."""
    flood(town).stays_silent()
    flood(town, municipality="baja").stays_silent()
    signed_for_baja = town.decision("ana", incident_of(town)["incident_id"], "approve", municipality="baja")
    assert 403 == town.hands_over(signed_for_baja, "alta").status_code
    assert "requested" == warning_of(town)["state"]
    neighbours(town).expects_nothing()
