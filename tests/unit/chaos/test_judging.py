"""What makes a played fault fail, apart from what the oracle counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.campaign import Order, Outcome, Scene, Trial, excused_s
from tests.chaos.judging import Run, judge
from tests.chaos.script import script
from tests.support.oracle import Evidence, read_town
from tests.support.towns import write_town
from tests.unit.oracle.toy import run_of


async def _nothing(_scene: Scene) -> Outcome:
    return Outcome()


TRIAL = Trial("R0", _nothing, least_incidents=1, least_messages=3)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The toy run, in which the fault took effect, beside a town where nothing happened."""
    town = read_town(write_town(tmp_path, "a", zones=3, residents_per_zone=2).folder)
    quiet = read_town(write_town(tmp_path, "b", zones=1, sender="+50370000099").folder)
    told = run_of(town)
    for entry in told["ledger"]:
        entry["sender"] = town.sender
    nothing = {"accepted": [], "triage": {"sensors": {}, "incidents": []}, "notify": {}}
    evidences = {"a": Evidence.read(told), "b": Evidence.read({**nothing, "ledger": told["ledger"]})}
    logs = {"notify.log": "notify.message_sent zone=z-001\n"}
    return Run(evidences, {"a": town, "b": quiet}, Outcome(fired=1, recovered_s=[2.0]), logs, "Ixtacuy")


def broken(run: Run, trial: Trial = TRIAL) -> list[str]:
    item, said = judge(Order("sqlite", None, Path(), 1, "ci"), trial, run)
    sentences: list[str] = item["broken"]
    assert item["pass"] == (not sentences)
    assert set(sentences) <= set(said)
    return sentences


def test_clean_run_passes(run: Run) -> None:
    """Nothing is broken, and the planted loss was found."""
    assert [] == broken(run)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(fired=0), "the fault never took effect"),
        (Outcome(fired=1, recovered_s=[61.0]), "recovery took 61.0 s, 60 s at most are allowed"),
        (Outcome(fired=1, broken=["a promise"]), "a promise"),
    ],
)
def test_what_the_trouble_did_counts(run: Run, outcome: Outcome, said: str) -> None:
    """A fault that never fired, a recovery that took too long, what the fault itself found."""
    assert [said] == broken(replace(run, outcome=outcome))


def test_too_small_a_run(run: Run) -> None:
    """Few messages prove nothing."""
    assert ["the run was too small to mean anything"] == broken(run, replace(TRIAL, least_messages=4))


def test_something_personal_in_a_log(run: Run) -> None:
    """The place is said, not what stands there."""
    logs = {"notify.log": "started\nsent to +50370000001\n"}
    assert ["something personal stands in notify.log:2"] == broken(replace(run, written=logs))


def test_towns_that_mix(run: Run) -> None:
    """Our texts from the neighbour's number."""
    towns = {**run.towns, "a": replace(run.towns["a"], sender="+50370000098")}
    assert any(sentence.startswith("towns mix: ") for sentence in broken(replace(run, towns=towns)))


def test_decisions_that_never_went_out(run: Run) -> None:
    """Where people were to correct and lift, it has to have happened."""
    wanted = ["no renewal went out", "no correction went out", "no lift went out"]
    assert wanted == broken(run, replace(TRIAL, with_decisions=True))


@pytest.mark.parametrize(
    ("away_s", "recovered_s", "excused"),
    [(0.0, [3.5, 15.0], 0.0), (0.0, [], 0.0), (0.0, [3.5, 25.0], 5.0), (20.0, [10.0], 10.0)],
    ids=["a death within the margin", "nothing happened", "a long death", "an outage and the return"],
)
def test_only_the_fault_itself_excuses_a_late_renewal(
    away_s: float, recovered_s: list[float], excused: float
) -> None:
    """Twenty real seconds lie between a renewal by rule and the end of its warning."""
    trial = replace(TRIAL, away_s={"ci": away_s})
    assert excused == excused_s(trial, "ci", Outcome(recovered_s=recovered_s))


def test_nobody_dies_twice_before_everybody_has_died() -> None:
    """Six deaths among five processes: one of them dies twice, in the middle of the load."""
    told = script(1, ["g-001"], 50, ["a", "b", "c", "d", "e"], 6)
    assert [1, 1, 1, 1, 2] == sorted(Counter(kill.process for kill in told.kills).values())
    assert all(0 < kill.at < 1 for kill in told.kills)
