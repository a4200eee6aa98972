"""Two people answer the same thing in the same second, each in a transaction of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.towns import change, write_town
from tests.unit.notify.flow_rig import Rig, opened

TASK = '"title": "Perifonear la zona"'
CREWS = ("brigada-norte", "brigada-sur")


async def asked_both(notify: Rig) -> None:
    """Let the first crew's time pass, so that the second is asked too."""
    await notify.classify()
    await notify.wait(minutes=4)
    assert 1 == len(await notify.messages(purpose="task", recipient_id="brigada-sur"))


async def test_two_crews_in_one_second_and_one_has_it(tmp_path: Path) -> None:
    """One crew is told that the task is theirs; the other, by name, who goes."""
    places = tmp_path / "municipalities"
    write_town(places, "alta", zones=1, residents_per_zone=1, safe_release=False)
    change(places / "alta", "protocols.yaml", TASK, f'{TASK}, "due_s": 240')
    async with opened(tmp_path, places) as notify:
        await asked_both(notify)
        said = [f"VOY {await notify.code_of(crew)} 4" for crew in CREWS]
        await asyncio.gather(*(notify.says(crew, words) for crew, words in zip(CREWS, said, strict=True)))
        answers = {crew: await notify.texts(purpose="reply", recipient_id=crew) for crew in CREWS}
        has_it = [crew for crew, (text,) in answers.items() if "van 4" in text]
        hears = [crew for crew, (text,) in answers.items() if "ya va Brigada" in text]
        assert sorted(CREWS) == sorted(has_it + hears)
        assert 1 == len(has_it)
        accepted = [row for row in await notify.events("task.updated") if row["state"] == "accepted"]
        assert has_it == [row["assignee_id"] for row in accepted]
