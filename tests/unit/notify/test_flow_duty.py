"""Pages, tasks, silences, answers of people on duty and of residents, and two towns side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.vocabulary import IncidentKind
from services.notify.tables import recipient
from services.runtime.errors import OursMalformed
from services.runtime.records import Record
from services.runtime.signing import generate_keys, load_signer
from tests.unit.notify.flow_rig import rig, snapshot


async def test_watch_level_pages_and_asks_for_nothing(tmp_path: Path) -> None:
    """Internal words go out on the level alone; residents are warned from level 3."""
    async with rig(tmp_path) as notify:
        await notify.classify(level=2)
        (page,) = await notify.messages(recipient_id="ana")
        assert page["purpose"] == "page"
        assert "Preparacion" in page["text"]
        assert await notify.events("warning.requested") == []
        (held,) = (await notify.get("/admin/v1/incidents"))["items"]
        assert "plan.below_warning_level" in [reason["code"] for reason in held["plan_reasons"]]


async def test_ok_ends_the_page(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        await notify.classify(level=2)
        await notify.says("ana", f"ok {await notify.code_of('ana')}")
        await notify.wait(minutes=20)
        assert len(await notify.messages(recipient_id="ana")) == 1
        (acked,) = await notify.events("alert.acknowledged")
        assert (acked["person_id"], acked["channel"]) == ("ana", "sms")
        assert [row["state"] for row in await notify.messages(recipient_id="ana")] == ["answered"]


async def test_level_zero_wakes_nobody_and_says_why(tmp_path: Path) -> None:
    """Also the decision not to notify has its reason."""
    async with rig(tmp_path) as notify:
        await notify.classify(level=0)
        assert await notify.messages() == []
        (held,) = (await notify.get("/admin/v1/incidents"))["items"]
        assert [reason["code"] for reason in held["plan_reasons"]] == [
            "plan.below_warning_level",
            "plan.below_page_level",
        ]


async def test_silent_site_gives_one_task_and_one_page(tmp_path: Path) -> None:
    """Further gaps join the open silence: still one task, one page."""
    async with rig(tmp_path) as notify:
        for version in (1, 2, 3):
            await notify.classify(
                version=version, level=1, kind=IncidentKind.NO_DATA, site="s-001", incident_id="inc-1"
            )
        tasks = (await notify.get("/admin/v1/tasks"))["items"]
        assert [row["kind"] for row in tasks] == ["read_gauge"]
        assert len(await notify.messages(purpose="page")) == 1
        assert len(await notify.messages(purpose="task")) == 1
        assert "dejo de reportar" in (await notify.texts(purpose="page"))[0]


async def test_brigade_accepts_its_task(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        await notify.classify()
        await notify.says("brigada-norte", f"OK {await notify.code_of('brigada-norte')}")
        assert [row["state"] for row in await notify.events("task.updated")] == ["accepted"]


async def test_unreached_blocks_get_a_loudspeaker_task(tmp_path: Path) -> None:
    """Five minutes after the warning nobody of five blocks has it delivered: five tasks."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        await notify.wait(minutes=5)
        kinds = [row["kind"] for row in (await notify.get("/admin/v1/tasks"))["items"]]
        assert kinds.count("reach_block") == 5


async def test_words_we_do_not_know_get_one_helpful_answer(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        await notify.classify()
        for _ in range(3):
            await notify.says("ana", "¿qué hago?")
        (answer,) = await notify.texts(purpose="reply")
        assert "Ejemplo: OK 4712" in answer
        assert len((await notify.get("/admin/v1/replies"))["items"]) == 3


async def test_river_words_are_no_opt_out(tmp_path: Path) -> None:
    """ALTO is asked back; only 2 ends the messages, and the next warning shows the resident as unreached."""
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.says("z-001-r1", "Alto")
        (asked,) = await notify.texts(purpose="reply")
        assert "1 rio, 2 dejar mensajes" in asked
        await notify.says("z-001-r1", "2")
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        states = {row["recipient_id"]: row["state"] for row in await notify.messages(purpose="warning")}
        assert states["z-001-r1"] == "suppressed"
        assert states["z-001-r2"] == "planned"


async def test_one_phone_under_two_rows_opts_out_of_both(tmp_path: Path) -> None:
    """Who is listed twice wrote once; the person on duty with the same phone is still paged."""
    async with rig(tmp_path, safe_release=False) as notify:
        async with notify.app.db.transaction() as conn:
            first = sa.select(recipient.c.phone_index).where(recipient.c.recipient_id == "z-001-r1")
            index = (await conn.execute(first)).scalar_one()
            same = recipient.c.recipient_id.in_(("z-001-r2", "ana"))
            await conn.execute(sa.update(recipient).where(same).values(phone_index=index))
        await notify.says("z-001-r1", "Alto")
        await notify.says("z-001-r1", "2")
        async with notify.app.db.reading() as conn:
            out = sa.select(recipient.c.recipient_id).where(recipient.c.opted_out)
            assert sorted((await conn.execute(out)).scalars()) == ["z-001-r1", "z-001-r2"]


async def test_staff_cannot_opt_out(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        await notify.says("ana", "BAJA")
        assert "turno" in (await notify.texts(purpose="reply"))[0]
        await notify.classify()
        assert len(await notify.messages(recipient_id="ana", purpose="authority")) == 1


async def test_resident_verifies_a_text(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.classify()
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        (head,) = (await notify.get("/admin/v1/warnings"))["items"]
        await notify.says("z-001-r1", f"verificar {head['verify_code']}")
        assert "es nuestro" in (await notify.texts(recipient_id="z-001-r1", purpose="reply"))[0]


async def test_two_towns_with_the_same_ids_stay_apart(tmp_path: Path) -> None:
    """Same incident, zones, people and phones: what one town decides does nothing in the other."""
    async with rig(tmp_path, towns=("alta", "baja"), safe_release=False) as notify:
        await notify.classify()
        code = await notify.code_of("ana")
        notify.town = "baja"
        await notify.classify()
        assert await notify.code_of("ana") != code
        await notify.says("ana", f"SI {await notify.code_of('ana')}")
        assert len(await notify.messages(purpose="warning")) == 5
        notify.town = "alta"
        assert await notify.messages(purpose="warning") == []


async def test_incident_signed_by_a_stranger_is_a_dead_letter_audited_and_paged_once(tmp_path: Path) -> None:
    """The partition goes on; an attacker cannot ring the phone as often as they like."""
    async with rig(tmp_path) as notify:
        generate_keys(tmp_path / "strange", ("triage",))
        stranger = load_signer(tmp_path / "strange", "triage")
        for version in (1, 2):
            await notify.send(snapshot(notify.clock.now(), version=version), signer=stranger)
        assert await notify.events("warning.requested") == []
        dead = (await notify.get("/admin/v1/dead-letters"))["items"]
        assert [row["reason"] for row in dead] == ["signature.forged"] * 2
        assert len(await notify.messages(purpose="page")) == 1
        await notify.classify()
        assert len(await notify.events("warning.requested")) == 1


async def test_unsigned_incident_is_a_dead_letter(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        record = notify.record(snapshot(notify.clock.now()))
        bare = tuple(pair for pair in record.headers if pair[0] not in {"ce_signature", "ce_kid"})
        await notify.app.consume("incidents", [replace(record, headers=bare)])
        (dead,) = (await notify.get("/admin/v1/dead-letters"))["items"]
        assert dead["reason"] == "signature.absent"


async def test_malformed_incident_stops_the_consumer(tmp_path: Path) -> None:
    """On a topic that only we write a record that cannot be read is our bug: nothing is skipped."""
    async with rig(tmp_path) as notify:
        record: Record = replace(notify.record(snapshot(notify.clock.now())), value=b"{}")
        with pytest.raises(OursMalformed):
            await notify.app.consume("incidents", [record])


async def test_drill_is_stamped_and_never_speaks_of_anything_real(tmp_path: Path) -> None:
    async with rig(tmp_path, safe_release=False) as notify:
        await notify.send(snapshot(notify.clock.now()), exercise_id="drill-1")
        texts = [*await notify.texts(purpose="authority"), *await notify.texts(purpose="task")]
        assert all(text.startswith("SIMULACRO (ENSAYO)") for text in texts)
        assert all(text.endswith("FIN DE SIMULACRO") for text in texts)
        (asked,) = await notify.events("warning.requested")
        assert asked["texts"][0]["text"].startswith("SIMULACRO (ENSAYO)")


async def test_import_says_which_rows_were_refused_and_why(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        rows = [
            {"resident_id": "n-1", "phone": "+50370900001", "zone": "z-001", "block": "", "distance_m": "10"},
            {"resident_id": "n-2", "phone": "+50371900001", "zone": "z-001"},
            {"resident_id": "n-3", "phone": "+50370900003", "zone": "z-900"},
            {"resident_id": "n-4", "phone": "7090", "zone": "z-001"},
        ]
        answer = (
            await notify.post("/admin/v1/residents", {"municipality": "alta", "residents": rows})
        ).json()
        assert answer["imported"] == 1
        assert [(row["index"], row["field"]) for row in answer["refused"]] == [
            (1, "phone"),
            (2, "zone"),
            (3, "phone"),
        ]


async def test_no_number_stands_anywhere_in_clear(tmp_path: Path) -> None:
    """Numbers are sealed in the database and absent from every answer."""
    async with rig(tmp_path) as notify:
        await notify.classify()
        await notify.says("ana", "+50370000001 me llamo asi")
        raw = (tmp_path / "notify.sqlite").read_bytes() + (tmp_path / "notify.sqlite-wal").read_bytes()
        assert b"+503701" not in raw
        assert b"+50370000001" not in raw
        assert "+503" not in str(await notify.get("/admin/v1/messages"))
