"""Importing residents: a list of neighbours can never take the phone of somebody on duty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.notify.outbound import recipients
from services.notify.tables import recipient
from tests.unit.notify.flow_rig import Rig, rig


def _row(resident_id: str) -> dict[str, str]:
    return {"resident_id": resident_id, "phone": "+50370900001", "zone": "z-001"}


async def _imported(notify: Rig, *ids: str) -> dict[str, Any]:
    rows = [_row(each) for each in ids]
    answer = await notify.post("/admin/v1/residents", {"municipality": "alta", "residents": rows})
    return dict(answer.json())


async def _people(notify: Rig) -> dict[str, tuple[str, str]]:
    wanted = sa.select(recipient.c.recipient_id, recipient.c.kind, recipient.c.phone_index)
    async with notify.app.db.reading() as conn:
        rows = await conn.execute(wanted.where(recipient.c.recipient_id.in_(["ana", "beto"])))
        return {who: (kind, phone) for who, kind, phone in rows}


async def test_resident_with_the_id_of_a_duty_person_is_refused_by_row(tmp_path: Path) -> None:
    """Ana stays who she is and keeps her number; the rows around the bad one are imported."""
    async with rig(tmp_path) as notify:
        before = await _people(notify)
        answer = await _imported(notify, "n-1", "ana", "n-2")
        assert answer["imported"] == 2
        (refused,) = answer["refused"]
        assert (refused["index"], refused["field"]) == (1, "resident_id")
        assert "directory.csv" in refused["reason"]
        assert await _people(notify) == before
        await notify.classify()
        (asked,) = await notify.messages(purpose="authority")
        assert asked["recipient_id"] == "ana"


async def test_id_of_somebody_who_left_the_directory_is_refused_too(tmp_path: Path) -> None:
    """Who was on duty once must not come back as a neighbour: their past messages bear the id."""
    async with rig(tmp_path) as notify:
        town = notify.app.towns["alta"]
        stayed = [person for person in town.directory if person.person_id != "beto"]
        async with notify.app.db.transaction() as conn:
            cipher, now = notify.app.cipher, notify.clock.now()
            await recipients.keep_people(conn, "alta", stayed, cipher, now)
        answer = await _imported(notify, "beto")
        assert (answer["imported"], len(answer["refused"])) == (0, 1)
        assert (await _people(notify))["beto"][0] == "person"


async def test_imported_twice_changes_the_resident(tmp_path: Path) -> None:
    async with rig(tmp_path) as notify:
        assert (await _imported(notify, "n-1"))["imported"] == 1
        assert (await _imported(notify, "n-1"))["imported"] == 1
