"""A disk without room: clean refusals, nothing answered is missing, and work goes on when room returns.

Each test is a process of its own, because a quota holds for all files of a process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

QUOTA = """
import asyncio, resource, signal, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
HARD = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
folder = Path(sys.argv[1])

def full(is_full):
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000 if is_full else HARD, HARD))

def sound(path):
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
"""

DATABASE = """
import sqlalchemy as sa
from services.runtime.database import Database
from services.runtime.errors import DatabaseFull

async def main():
    metadata = sa.MetaData()
    columns = sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.LargeBinary)
    t = sa.Table("row", metadata, *columns)
    db = Database(f"sqlite:///{folder}/town.sqlite")
    await db.create_all(metadata)
    full(True)
    kept, refused = [], 0
    for number in range(200):
        try:
            async with db.transaction() as conn:
                await conn.execute(sa.insert(t).values(id=number, b=bytes(4096)))
            kept.append(number)
        except DatabaseFull:
            refused += 1
    assert kept and refused, (len(kept), refused)
    full(False)
    async with db.transaction() as conn:
        await conn.execute(sa.insert(t).values(id=1000, b=b"x"))
    await db.close()
    again = Database(f"sqlite:///{folder}/town.sqlite")
    async with again.reading() as conn:
        there = list((await conn.execute(sa.select(t.c.id).order_by(t.c.id))).scalars())
    await again.close()
    assert there == [*kept, 1000], (there, kept)
    sound(folder / "town.sqlite")
    print(len(kept), refused)

asyncio.run(main())
"""

SPOOL = """
from services.notify.outbound.spool import Request, Spool
from services.runtime.errors import Retriable

async def main():
    spool, at = Spool(folder / "door.sqlite"), datetime(2026, 5, 2, tzinfo=UTC)
    full(True)
    kept, refused = [], 0
    for number in range(200):
        try:
            await spool.add(Request(f"id-{number}", "message-in", at, "/", {"Body": ["x" * 4096]}))
            kept.append(f"id-{number}")
        except Retriable:
            refused += 1
    assert kept and refused, (len(kept), refused)
    full(False)
    assert await spool.add(Request("after", "message-in", at, "/", {}))
    await spool.close()
    again = Spool(folder / "door.sqlite")
    there = [each.request.id for each in await again.after(0, 1000)]
    await again.close()
    assert there == [*kept, "after"], (there, kept)
    sound(folder / "door.sqlite")
    print(len(kept), refused)

asyncio.run(main())
"""

INGEST = """
import httpx
from pydantic import SecretStr
from services.ingest.app import App
from services.ingest.settings import IngestSettings
from services.runtime.clock import SystemClock
from services.runtime.database import Database
from tests.unit.ingest.conftest import CATALOGUE, FakePublisher

async def main():
    db = Database(f"sqlite:///{folder}/ingest.sqlite")
    await db.migrate("ingest")
    settings = IngestSettings(admin_token=SecretStr("administrator"), data_dir=folder)
    app = App(settings, db=db, clock=SystemClock(), catalogue=CATALOGUE, publisher=FakePublisher())
    transport = httpx.ASGITransport(app.http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as door:
        asked, admin = {"municipality": "alta", "name": "red"}, {"Authorization": "Bearer administrator"}
        made = await door.post("/admin/v1/keys", json=asked, headers=admin)
        key = {"Authorization": "Bearer " + made.json()["key"]}

        async def post(number):
            at = datetime(2026, 1, 1, number // 60 % 24, number % 60, tzinfo=UTC).isoformat()
            body = {"sensor_id": "rio-1", "property": "river_level", "value": 1.0, "unit": "m"}
            return await door.post("/v1/readings", json=body | {"observed_at": at}, headers=key)

        full(True)
        answers = [await post(number) for number in range(400)]
        full(False)
        answers.append(await post(400))
    taken = [each for each in answers if each.status_code == 202]
    refused = [each for each in answers if each.status_code == 503]
    assert len(taken) + len(refused) == len(answers), {each.status_code for each in answers}
    assert refused and all(each.headers["retry-after"] for each in refused)
    assert answers[-1].status_code == 202
    await db.close()
    file = sqlite3.connect(folder / "ingest.sqlite")
    rows = file.execute("SELECT (SELECT sum(count) FROM pack), max(last_n) FROM series").fetchone()
    assert rows == (len(taken), len(taken)), (rows, len(taken))
    sound(folder / "ingest.sqlite")
    print(len(taken), len(refused))

asyncio.run(main())
"""


def run(program: str, folder: Path) -> tuple[int, int]:
    """Run a program under a quota; return how many things were kept and how many refused."""
    done = subprocess.run(
        [sys.executable, "-c", QUOTA + program, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept, refused = done.stdout.split()[-2:]
    return int(kept), int(refused)


def test_every_committed_row_is_there_when_room_returns(tmp_path: Path) -> None:
    """A commit without room raises, as a fault that time may heal."""
    kept, refused = run(DATABASE, tmp_path)
    assert kept > 0 < refused


def test_the_spool_keeps_what_it_took(tmp_path: Path) -> None:
    """The carrier hears 503 for the rest and says it again."""
    kept, refused = run(SPOOL, tmp_path)
    assert kept > 0 < refused


def test_ingest_answers_503_with_retry_after_and_loses_nothing_it_took(tmp_path: Path) -> None:
    """Numbers have no hole: a refused reading used none up."""
    kept, refused = run(INGEST, tmp_path)
    assert kept > 0 < refused
