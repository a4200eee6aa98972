"""A warning that ends in silence reads as all-clear: before its hour it is renewed or lifted."""

from datetime import datetime, timedelta

from tests.stories.scenes import flood, neighbours, warning_of
from tests.support.town import Town


def warned(town: Town) -> None:
    """Warn z-001 until 08:00 local time."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA", "Hasta 08:00")


def ends_at(town: Town) -> datetime:
    return datetime.fromisoformat(warning_of(town)["valid_until"])


def test_unanswered_warning_is_renewed_at_the_same_level(town: Town) -> None:
    """Everybody is asked 30 minutes before; nobody answers; 5 minutes before it goes on, with an update."""
    warned(town)
    town.wait(hours=5, minutes=29)
    town.wait(minutes=1)
    for person in ("ana", "beto", "carla"):
        town.phone(person).expects_sms("vence 08:00", "14:00").stays_silent()
    first_end = ends_at(town)
    town.wait(minutes=24, seconds=59)
    neighbours(town).expects_nothing()
    town.wait(seconds=1)
    neighbours(town).expects_sms("sigue el aviso", "Salga YA", "Hasta 14:00")
    warning = warning_of(town)
    assert ("authorised", 3, "renewal_rule") == (
        warning["state"],
        warning["level"],
        warning["authority_of"]["kind"],
    )
    assert first_end < ends_at(town)
    town.wait(hours=4)


def test_it_is_renewed_again_and_again(town: Town) -> None:
    """Nobody answers all day: each end is met in time."""
    warned(town)
    for until in ("14:00", "20:00"):
        town.wait(hours=6)
        for person in ("ana", "beto", "carla"):
            town.phone(person).expects_sms("vence").stays_silent()
        neighbours(town).expects_sms("sigue el aviso", f"Hasta {until}")


def test_a_yes_renews_at_once_and_only_once(town: Town) -> None:
    """Who says yes sends the update then; the hour of the old end sends nothing more."""
    warned(town)
    town.wait(hours=5, minutes=30)
    ana = town.phone("ana").expects_sms("vence 08:00")
    town.phone("beto").expects_sms("vence 08:00").stays_silent()
    town.phone("carla").expects_sms("vence 08:00").replies("NO {code}")
    town.phone("carla").expects_sms("no vence en silencio")
    ana.replies("SI {code}")
    town.phone("ana").expects_sms("sigue vigente")
    neighbours(town).expects_sms("sigue el aviso", "Hasta 14:00")
    town.wait(hours=1)


def test_an_end_that_was_slept_through_is_made_up_for(town: Town) -> None:
    """Everything stood still for longer than the warning and its renewal would have lasted: it goes on."""
    warned(town)
    town.wait(minutes=30)
    town.clock.wait(timedelta(hours=14))
    town.settle()
    neighbours(town).expects_sms("sigue el aviso", "Hasta 22:30")
    warning = warning_of(town)
    assert ("authorised", "renewal_rule") == (warning["state"], warning["authority_of"]["kind"])
    assert ends_at(town) > town.clock.now()


def test_a_closed_incident_leaves_its_warning_in_force(town: Town) -> None:
    """That the river fell does not end the warning: that is a decision of its own."""
    warned(town)
    town.wait(minutes=30)
    for gauge in ("g-001", "g-001-b"):
        town.gauge(gauge).sends(1.0)
    town.wait(minutes=30)
    incident_id = warning_of(town)["incident_id"]
    assert "applied" == town.decides("ana", incident_id, "close")
    town.phone("brigada-norte").expects_sms("cancelada", "cerrado")
    assert "authorised" == warning_of(town)["state"]
    town.wait(hours=4, minutes=40)
    for person in ("ana", "beto", "carla"):
        town.phone(person).expects_sms("vence 08:00").stays_silent()
    assert "applied" == town.decides("ana", incident_id, "lift")
    neighbours(town).expects_sms("lift")
    town.wait(hours=2)
