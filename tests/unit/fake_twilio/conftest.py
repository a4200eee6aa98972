from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support.fake_twilio import CarrierSettings, FakeCarrier, HandClock
from tests.support.fake_twilio.posting import Answer, Unreachable

ANA = "+50370000001"
BETO = "+50370000002"
SENDER = "+50370009999"
DOOR = "http://door.test"


class Now:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 2, 40, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Door:
    """Stands for a webhook: keeps what was posted, answers as told."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, str] = {}
        self.fails: list[int | None] = []

    async def post(self, url: str, fields: dict[str, str], headers: dict[str, str]) -> Answer:
        self.posts.append((url, dict(fields), headers["X-Twilio-Signature"]))
        if self.fails:
            status = self.fails.pop(0)
            if status is None:
                raise Unreachable
            return Answer(status, "")
        return Answer(200, self.answers.get(url, ""))

    async def close(self) -> None:
        return

    def statuses(self) -> list[str]:
        return [f.get("MessageStatus") or f.get("CallStatus", "") for _, f, _ in self.posts]


class Api:
    """Posts to the carrier as a customer would."""

    def __init__(self, client: httpx.AsyncClient, carrier: FakeCarrier) -> None:
        self.client = client
        self.auth = (carrier.settings.account_sid, carrier.settings.auth_token)
        self.base = f"/2010-04-01/Accounts/{carrier.settings.account_sid}"

    async def text(
        self, to: str = ANA, body: str = "Sube el rio. Responda SI 4711", **more: str
    ) -> httpx.Response:
        form = {"To": to, "From": SENDER, "Body": body, "StatusCallback": f"{DOOR}/status?m=1", **more}
        return await self.post("/Messages.json", {k: v for k, v in form.items() if v})

    async def ring(self, to: str = ANA, **more: object) -> httpx.Response:
        form = {"To": to, "From": SENDER, "Url": f"{DOOR}/voice", "Timeout": "25", **more}
        return await self.post("/Calls.json", {k: v for k, v in form.items() if v})

    async def post(self, path: str, form: dict[str, object]) -> httpx.Response:
        return await self.client.post(self.base + path, data=form, auth=self.auth)

    async def get(self, path: str, **params: str) -> httpx.Response:
        return await self.client.get(self.base + path, params=params, auth=self.auth)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def carrier(now: Now, door: Door) -> FakeCarrier:
    settings = CarrierSettings(message_in=f"{DOOR}/in", segments_per_s=10, deliver_s=1, answer_attempts=5)
    return FakeCarrier(settings, clock=HandClock(now), poster=door)


@pytest.fixture
async def api(carrier: FakeCarrier) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(carrier.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://carrier.test") as client:
        yield Api(client, carrier)
