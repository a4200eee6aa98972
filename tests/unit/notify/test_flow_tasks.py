"""What becomes of a task that nobody takes, of a crew that does not arrive, and of crews called out."""

from __future__ import annotations

from pathlib import Path

from tests.support.towns import change, write_town
from tests.unit.notify.flow_rig import opened, rig

TASK = '"title": "Perifonear la zona"'


async def test_deadline_asks_the_next_crew_and_says_so(tmp_path: Path) -> None:
    places = tmp_path / "municipalities"
    write_town(places, "alta", zones=1, residents_per_zone=1, safe_release=False)
    change(places / "alta", "protocols.yaml", TASK, f'{TASK}, "due_s": 240')
    async with opened(tmp_path, places) as notify:
        await notify.classify()
        await notify.wait(minutes=4)
        assert ["assigned"] == [row["state"] for row in await notify.events("task.updated")]
        assert "Perifonear" in (await notify.texts(purpose="task", recipient_id="brigada-sur"))[0]
        assert "no respondio" in (await notify.texts(purpose="task", recipient_id="ana"))[0]


async def test_crew_that_never_arrives_is_chased(tmp_path: Path) -> None:
    """By the protocol's time the crew is asked; ten minutes later a coordinator hears; an arrival ends it."""
    places = tmp_path / "municipalities"
    write_town(places, "alta", zones=1, residents_per_zone=1, safe_release=False)
    change(places / "alta", "protocols.yaml", TASK, f'{TASK}, "arrive_s": 900')
    async with opened(tmp_path, places) as notify:
        await notify.classify()
        await notify.says("brigada-norte", f"VOY {await notify.code_of('brigada-norte')} 6")
        await notify.wait(minutes=14)
        assert 1 == len(await notify.texts(purpose="task", recipient_id="brigada-norte"))
        await notify.wait(minutes=1)
        assert "¿ya llegaron?" in (await notify.texts(purpose="task", recipient_id="brigada-norte"))[-1]
        assert [] == await notify.texts(purpose="task", recipient_id="ana")
        await notify.wait(minutes=10)
        (told,) = await notify.texts(purpose="task", recipient_id="ana")
        assert "(debia a las 02:55)" in told
        await notify.says("brigada-norte", "LLEGUE")
        await notify.wait(hours=1)
        assert ["accepted"] * 3 + ["on_scene"] == [
            row["state"] for row in await notify.events("task.updated")
        ]


async def test_withdraw_counts_heads_until_all_are_out(tmp_path: Path) -> None:
    async with rig(tmp_path, zones=1, residents_per_zone=1, safe_release=False) as notify:
        await notify.classify()
        await notify.says("brigada-norte", f"VOY {await notify.code_of('brigada-norte')} 6")
        answer = await notify.decide("ana", "withdraw")
        assert "applied" == answer.json()["ruling"]
        await notify.wait(minutes=2)
        assert "FALTAN" in (await notify.texts(purpose="withdraw", recipient_id="ana"))[-1]
        await notify.says("brigada-norte", f"SALIMOS {await notify.code_of('brigada-norte')} 6")
        assert "completo: 6 personas" in (await notify.texts(purpose="withdraw", recipient_id="ana"))[-1]
