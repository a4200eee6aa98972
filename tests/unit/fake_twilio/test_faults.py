"""The seeded fault plan."""

from __future__ import annotations

import httpx
import pytest

from tests.support.fake_twilio import CarrierSettings, FakeCarrier, FaultPlan
from tests.support.fake_twilio.faults import Faults
from tests.unit.fake_twilio.conftest import ANA, SENDER, Api, Door, Now


async def test_busy_is_429_and_takes_nothing(api: Api, carrier: FakeCarrier) -> None:
    """429 says when to come back, and the text is not in the ledger."""
    carrier.faults.follow(FaultPlan(busy_share=1.0, retry_after_s=7))
    refused = await api.text()
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (429, "7", 20429)
    assert carrier.ledger.entries == []


@pytest.mark.parametrize(
    ("plan", "taken"),
    [
        pytest.param(FaultPlan(fail_before_share=1.0), 0, id="500 before it is taken"),
        pytest.param(FaultPlan(fail_after_share=1.0), 1, id="500 after it was taken"),
    ],
)
async def test_500_tells_nothing_about_the_text(
    api: Api, carrier: FakeCarrier, plan: FaultPlan, taken: int
) -> None:
    """The same answer, and only the ledger knows whether the text goes out."""
    carrier.faults.follow(plan)
    assert (await api.text()).status_code == 500
    assert len(carrier.ledger.entries) == taken


async def test_down_is_503(api: Api, carrier: FakeCarrier) -> None:
    """A carrier that is down takes nothing."""
    carrier.faults.follow(FaultPlan(down=True))
    assert (await api.text()).status_code == 503


async def test_faults_meet_only_whom_they_are_for(api: Api, carrier: FakeCarrier) -> None:
    """A plan for some numbers leaves the others in peace."""
    carrier.faults.follow(FaultPlan(busy_share=1.0, only_to=r"0002$"))
    assert (await api.text()).status_code == 201


@pytest.mark.parametrize(
    ("plan", "statuses"),
    [
        pytest.param(FaultPlan(callback_drop_share=1.0), [], id="dropped"),
        pytest.param(FaultPlan(callback_double_share=1.0), ["sending"] * 2 + ["sent"] * 2, id="doubled"),
    ],
)
async def test_callbacks_are_dropped_and_doubled(
    api: Api, carrier: FakeCarrier, door: Door, plan: FaultPlan, statuses: list[str]
) -> None:
    """Statuses arrive as often as the plan says."""
    carrier.faults.follow(plan)
    await api.text()
    await carrier.settle()
    assert door.statuses() == statuses


async def test_late_callbacks_lose_their_order(api: Api, carrier: FakeCarrier, door: Door, now: Now) -> None:
    """Late statuses all arrive, out of order for at least one of many texts."""
    carrier.faults.follow(FaultPlan(callback_late_share=0.5, callback_late_s_max=20))
    for _ in range(5):
        await api.text()
    for _ in range(30):
        now.pass_s(1)
        await carrier.settle()
    rank = {"sending": 0, "sent": 1, "delivered": 2}
    orders = {}
    for _, fields, _ in door.posts:
        orders.setdefault(fields["MessageSid"], []).append(rank[fields["MessageStatus"]])
    assert all(sorted(order) == [0, 1, 2] for order in orders.values())
    assert any(order != [0, 1, 2] for order in orders.values())


async def test_forged_callback_has_a_wrong_signature(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A forged status comes first and is signed with another token; the true one follows."""
    carrier.faults.follow(FaultPlan(callback_forge_share=1.0))
    await api.text()
    await carrier.settle()
    assert door.statuses()[:2] == ["sending", "sending"]
    assert door.posts[0][2] != door.posts[1][2]


def test_same_seed_same_fate() -> None:
    """Two runs of one seed draw the same faults, another seed draws others."""

    def fates(seed: int) -> list[str]:
        faults = Faults(FaultPlan(seed=seed, busy_share=0.3, fail_after_share=0.3))
        return [faults.request(ANA)[0] for _ in range(50)]

    assert fates(7) == fates(7)
    assert fates(7) != fates(8)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"busy_share": 1.5}, id="share over one"),
        pytest.param({"busy_share": 0.6, "fail_after_share": 0.6}, id="shares over one together"),
        pytest.param({"bussy_share": 0.5}, id="misspelt"),
    ],
)
def test_bad_plan_is_refused(told: dict[str, float]) -> None:
    """A plan that cannot be followed says so."""
    with pytest.raises(ValueError, match=r"share|unknown"):
        FaultPlan.read(told)


async def test_reset_cuts_the_connection_after_taking_the_text(door: Door) -> None:
    """Over real TCP the client sees a reset and the ledger has the text."""
    carrier = FakeCarrier(CarrierSettings(), poster=door, faults=FaultPlan(reset_after_share=1.0))
    async with carrier.serving() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        api = Api(client, carrier)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await api.text()
        carrier.faults.follow(FaultPlan())
        assert (await api.text()).status_code == 201
    texts = [entry for entry in carrier.ledger.entries if entry["kind"] == "message"]
    assert [entry["sender"] for entry in texts] == [SENDER, SENDER]


async def test_hang_after_taking_the_text(door: Door) -> None:
    """Over real TCP the client's own time-out ends the wait and the ledger has the text."""
    carrier = FakeCarrier(CarrierSettings(), poster=door, faults=FaultPlan(hang_after_share=1.0))
    async with carrier.serving() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(
                f"/2010-04-01/Accounts/{carrier.settings.account_sid}/Messages.json",
                data={"To": ANA, "From": SENDER, "Body": "x"},
                auth=(carrier.settings.account_sid, carrier.settings.auth_token),
                timeout=0.2,
            )
    assert sum(entry["kind"] == "message" for entry in carrier.ledger.entries) == 1


async def test_what_took_effect_is_counted(api: Api, carrier: FakeCarrier) -> None:
    """A run whose fault never did must not pass for one that was survived; a new plan counts anew."""
    carrier.faults.follow(FaultPlan(fail_after_share=1.0, callback_drop_share=1.0))
    await api.text()
    await carrier.settle()
    shown = (await api.client.get("/_control")).json()
    assert shown["faults_met"]["fail_after"] == 1
    assert shown["faults_met"]["callback_dropped"] >= 1
    carrier.faults.follow(FaultPlan())
    await api.text()
    assert (await api.client.get("/_control")).json()["faults_met"] == {}
