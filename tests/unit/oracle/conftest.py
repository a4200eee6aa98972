"""The toy town and its run that lost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.oracle import Town, read_town
from tests.support.oracle.fold import digests, readings
from tests.support.towns import write_town
from tests.unit.oracle.toy import HASH, RESIDENTS, TEXT, reading, row, sms


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = write_town(tmp_path_factory.mktemp("towns"), "a", zones=3, residents_per_zone=2).folder
    return read_town(Path(folder))


@pytest.fixture
def told(town: Town) -> dict[str, Any]:
    """A quiet gauge and one that rises to 3: a page, its answer, and a warning to two residents."""
    accepted = [reading(0, 2.0), reading(0, 2.0, "g-002"), reading(15, 3.1), reading(15, 2.1, "g-002")]
    phones = town.residents
    return {
        "accepted": accepted,
        "triage": {
            "sensors": digests(readings(accepted)),
            "incidents": [
                {
                    "incident_id": "i1",
                    "kind": "hazard",
                    "hazard": "flood",
                    "level": 3,
                    "zones": ["z-001"],
                    "opened_at": "2026-05-04T18:15:01-06:00",
                }
            ],
            "changes": [
                {
                    "kind": "condition",
                    "rule": "r-001",
                    "sensor_id": "g-001",
                    "from": 0,
                    "to": 3,
                    "observed_at": "2026-05-04T18:15:00-06:00",
                }
            ],
        },
        "notify": {
            "messages": [
                row("p.ana", "ana", "authority"),
                *(row(f"w.{one}", one, "warning") for one in RESIDENTS),
            ],
            "warnings": [
                {
                    "warning_id": "w1",
                    "version": 1,
                    "incident_id": "i1",
                    "state": "authorised",
                    "zones": ["z-001"],
                    "texts": [{"zone": "z-001", "language": "es", "text": TEXT}],
                    "incident_version": 1,
                    "audience": {"digest": "d1"},
                    "authority": {"kind": "operator", "operator_id": "ana"},
                    "content_hash": HASH,
                    "at": "2026-05-04T18:16:00-06:00",
                    "valid_until": "2026-05-04T22:00:00-06:00",
                }
            ],
            "answers": [{"sid": "SMreply"}],
        },
        "ledger": [
            sms("SM0", town.people["ana"], "Responda SI 4711", "p.ana"),
            {
                "kind": "answer",
                "answer": "SMreply",
                "phone": town.people["ana"],
                "channel": "sms",
                "words": "SI 4711",
                "to_sid": "SM0",
            },
            {"kind": "answer_taken", "answer": "SMreply", "taken": True},
            *(sms(f"SM{at}", phones[one], TEXT, f"w.{one}") for at, one in enumerate(RESIDENTS, start=1)),
        ],
    }
