"""A broadcast is byte for byte what was authorised, to exactly the people it was asked for."""

from schemas.events.warnings import ZoneText, content_hash
from tests.stories.scenes import flood, incident_of, neighbours, warning_of
from tests.support.town import Town


def test_sent_bytes_are_the_authorised_bytes(town: Town) -> None:
    """What the phones show is what the question showed and what the signed event holds."""
    question = flood(town)
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado", "3 teléfonos")
    (authorised,) = warning_of(town)["texts"]
    got = neighbours(town).expects_sms("warning")
    assert {authorised["text"]} == {text.words for text in got}
    assert f'"{authorised["text"]}"' in question.words
    (record,) = town.pipe.of_type("warning.authorised")
    assert authorised["text"].encode() in record.value


def test_the_hash_is_one_that_anybody_can_compute(town: Town) -> None:
    """The hash in the event is over texts, zones, people and incident version, and nothing else."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    warning = warning_of(town)
    again = content_hash(
        incident_id=warning["incident_id"],
        incident_version=warning["incident_version"],
        zones=warning["zones"],
        texts=[ZoneText.model_validate(text) for text in warning["texts"]],
        audience_digest=warning["audience"]["digest"],
    )
    assert again == warning["content_hash"]


def test_one_byte_changed_after_approval_stops_it(town: Town) -> None:
    """Who changes a letter between yes and carrier sends nothing: a person hears at once, and is asked."""
    flood(town).stays_silent()
    town.hands_over_unseen(town.decision("beto", incident_of(town)["incident_id"], "approve"))
    town.rows("notify", "UPDATE body SET text = replace(text, 'Calle 3', 'Calle 4')")
    town.settle()
    neighbours(town).expects_nothing()
    town.phone("ana").expects_sms("no es el autorizado").replies("OK {code}")
    town.phone("ana").expects_sms("authority", "Calle 3").replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("Calle 3")
    noted = town.rows("notify", "SELECT action, count(*) FROM audit GROUP BY action ORDER BY action")
    assert [("message.content_changed", 3), ("warning.content_changed", 1)] == noted
    town.wait(minutes=10)


def test_a_message_that_points_to_other_words_is_stopped(town: Town) -> None:
    """Words that are whole, but not among those that were authorised, are as good as changed ones."""
    flood(town).stays_silent()
    town.hands_over_unseen(town.decision("beto", incident_of(town)["incident_id"], "approve"))
    other = "(SELECT body_id FROM body WHERE text NOT LIKE '%Salga YA%' LIMIT 1)"
    town.rows("notify", f"UPDATE delivery SET body_id = {other} WHERE recipient_id = 'z-001-r1'")
    town.settle()
    neighbours(town).expects_nothing()
    town.phone("ana").expects_sms("no es el autorizado").replies("OK {code}")
    town.phone("ana").expects_sms("authority").replies("NO {code}")
    town.phone("ana").expects_sms("no sale")
    assert "rejected" == warning_of(town)["state"]


def test_a_change_takes_what_still_waits_with_it(town: Town) -> None:
    """More was asked as the river rose: with the changed words that question falls, and is put anew."""
    flood(town).replies("SI {code}")
    ana = town.phone("ana")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    for gauge in ("g-001", "g-001-b"):
        town.gauge(gauge).sends(4.1)
    fallen = ana.expects_sms("authority", "Impacto")
    town.hands_over_unseen(town.decision("beto", incident_of(town)["incident_id"], "renew"))
    town.rows("notify", "UPDATE body SET text = text || '.' WHERE text LIKE '%sigue el aviso%'")
    town.settle()
    neighbours(town).expects_nothing()
    ana.expects_sms("no es el autorizado").replies("OK {code}")
    asked = ana.expects_sms("authority", "Impacto")
    fallen.replies("SI {code}")
    ana.expects_sms("quedó sin efecto")
    asked.replies("SI {code}")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Suba YA")


def test_one_byte_changed_before_approval_voids_it(town: Town) -> None:
    """A yes to words that are not those asked about sends nothing: it is asked afresh, in true words."""
    flood(town).replies("OK {code}")
    town.rows("notify", "UPDATE warning_version SET snapshot = replace(snapshot, 'Calle 3', 'Calle 4')")
    assert "refused" == town.decides("beto", incident_of(town)["incident_id"], "approve")
    neighbours(town).expects_nothing()
    town.phone("ana").expects_sms("authority", "Calle 3").replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("Calle 3")


def test_another_neighbour_voids_the_request(town: Town) -> None:
    """Who would be told is part of what was asked: one phone more and it is asked again."""
    question = flood(town)
    town.rows("notify", "UPDATE recipient SET zone = 'z-001' WHERE recipient_id = 'z-002-r1'")
    question.replies("SI {code}")
    town.phone("ana").expects_sms("se pide de nuevo")
    town.phone("ana").expects_sms("authority", "4 tel").replies("NO {code}")
    town.phone("ana").expects_sms("no sale")
