"""The fake carrier against the document that the real one publishes.

What the document refuses we refuse, and what we take the document allows. We may be stricter: a phone
number must be E.164, and a misspelt parameter is an error.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.support.fake_twilio import Behaviour, CallManner, CarrierSettings, FakeCarrier

DOCUMENT = Path(__file__).parents[3] / "shared/data/twilio/twilio_api_v2010_subset.json"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DOCUMENT.exists(), reason="../shared/data/twilio is not beside the project"),
]

HOST = "https://api.twilio.com"
TO, FROM = "+50370000001", "+50370009999"
SERVICE = "MG" + "a" * 32
HOOK = "http://127.0.0.1:9/status?m=1"
TWIML = "<Response><Say>hola</Say></Response>"
FORM = "application/x-www-form-urlencoded"
TEXT = {"To": TO, "From": FROM, "Body": "hola"}
CALL = {"To": TO, "From": FROM, "Url": "https://door.test/voice"}


@pytest.fixture(scope="module")
def document() -> OpenAPI:
    return OpenAPI.from_dict(json.loads(DOCUMENT.read_text()))


@pytest.fixture
def carrier() -> FakeCarrier:
    return FakeCarrier(CarrierSettings(callback_attempts=1, deliver_s=0))


@pytest.fixture
async def client(carrier: FakeCarrier) -> AsyncIterator[httpx.AsyncClient]:
    auth = (carrier.settings.account_sid, carrier.settings.auth_token)
    transport = httpx.ASGITransport(carrier.app)
    async with httpx.AsyncClient(transport=transport, base_url=HOST, auth=auth) as client:
        yield client
    await carrier.close()


def allowed(document: OpenAPI, path: str, form: dict[str, Any]) -> bool:
    request = MockRequest(
        HOST,
        "post",
        path,
        headers={"Authorization": "Basic eDp5"},
        data=urlencode(form, doseq=True).encode(),
        content_type=FORM,
    )
    try:
        document.validate_request(request)
    except OpenAPIError:
        return False
    return True


def conforms(document: OpenAPI, response: httpx.Response) -> None:
    asked = response.request
    request = MockRequest(HOST, asked.method.lower(), asked.url.path, headers={"Authorization": "Basic eDp5"})
    shown = MockResponse(response.content, status_code=response.status_code, content_type="application/json")
    document.validate_response(request, shown)


ALIKE = [
    pytest.param("Messages", TEXT, True, id="plain text"),
    pytest.param(
        "Messages", TEXT | {"StatusCallback": HOOK, "ValidityPeriod": "600"}, True, id="all we send"
    ),
    pytest.param("Messages", TEXT | {"SmartEncoded": "false"}, True, id="smart encoding off"),
    pytest.param("Messages", TEXT | {"RiskCheck": "disable"}, True, id="no risk check"),
    pytest.param("Messages", {"To": TO, "MessagingServiceSid": SERVICE, "Body": "x"}, True, id="by service"),
    pytest.param("Messages", {"From": FROM, "Body": "hola"}, False, id="text to nobody"),
    pytest.param("Messages", {"To": TO, "MessagingServiceSid": "MG1", "Body": "x"}, False, id="bad service"),
    pytest.param("Messages", TEXT | {"ValidityPeriod": "soon"}, False, id="validity in words"),
    pytest.param("Calls", CALL, True, id="plain call"),
    pytest.param("Calls", {"To": TO, "From": FROM, "Twiml": TWIML}, True, id="call with its words"),
    pytest.param(
        "Calls",
        CALL
        | {
            "StatusCallback": HOOK,
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
            "Timeout": "25",
            "MachineDetection": "DetectMessageEnd",
            "AsyncAmd": "true",
            "AsyncAmdStatusCallback": HOOK,
        },
        True,
        id="call with everything",
    ),
    pytest.param("Calls", {"From": FROM, "Url": HOOK}, False, id="call to nobody"),
    pytest.param("Calls", {"To": TO, "Url": HOOK}, False, id="call from nobody"),
    pytest.param("Calls", CALL | {"Timeout": "long"}, False, id="timeout in words"),
]


@pytest.mark.parametrize(("kind", "form", "taken"), ALIKE)
async def test_both_take_and_refuse_the_same(
    document: OpenAPI,
    client: httpx.AsyncClient,
    carrier: FakeCarrier,
    kind: str,
    form: dict[str, Any],
    taken: bool,
) -> None:
    """What the document says of a request, the fake carrier says too."""
    path = f"/2010-04-01/Accounts/{carrier.settings.account_sid}/{kind}.json"
    answer = await client.post(path, data=form)
    assert (allowed(document, path, form), answer.status_code == 201) == (taken, taken)


STRICTER = [
    pytest.param("Messages", TEXT | {"To": "70000001"}, 21211, id="number without country"),
    pytest.param("Messages", {"To": TO, "From": FROM}, 21602, id="no words"),
    pytest.param("Messages", TEXT | {"Body": "x" * 1601}, 21617, id="1601 signs"),
    pytest.param("Messages", TEXT | {"MessagingServiceSid": SERVICE}, 20001, id="two senders"),
    pytest.param("Messages", TEXT | {"ValidityPeriod": "36001"}, 20001, id="more than ten hours"),
    pytest.param("Messages", TEXT | {"StatusCallback": "/status"}, 21609, id="relative callback"),
    pytest.param("Calls", {"To": TO, "From": FROM}, 21205, id="call without words"),
    pytest.param("Calls", CALL | {"StatusCallbackEvent": ["ended"]}, 20001, id="unknown event"),
]


@pytest.mark.parametrize(("kind", "form", "code"), STRICTER)
async def test_we_are_stricter_on_purpose(
    document: OpenAPI,
    client: httpx.AsyncClient,
    carrier: FakeCarrier,
    kind: str,
    form: dict[str, Any],
    code: int,
) -> None:
    """The document allows these; a real carrier refuses them all the same, and so do we."""
    path = f"/2010-04-01/Accounts/{carrier.settings.account_sid}/{kind}.json"
    answer = await client.post(path, data=form)
    assert allowed(document, path, form)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_resources_are_as_published(
    document: OpenAPI, client: httpx.AsyncClient, carrier: FakeCarrier
) -> None:
    """Each resource and list validates, when it is made and when it is over."""
    base = f"/2010-04-01/Accounts/{carrier.settings.account_sid}"
    carrier.handsets.behave(".*", Behaviour(call=CallManner("human", after_ms=0)))
    text = await client.post(f"{base}/Messages.json", data=TEXT)
    by_service = {"To": TO, "MessagingServiceSid": SERVICE, "Body": "hola", "StatusCallback": HOOK}
    other = await client.post(f"{base}/Messages.json", data=by_service)
    call = await client.post(f"{base}/Calls.json", data={"To": TO, "From": FROM, "Twiml": TWIML})
    for answer in (text, other, call):
        conforms(document, answer)
    for _ in range(4):
        await carrier.settle()
    for path in (
        f"{base}/Messages.json",
        f"{base}/Messages/{text.json()['sid']}.json",
        f"{base}/Messages/{other.json()['sid']}.json",
        f"{base}/Calls.json",
        f"{base}/Calls/{call.json()['sid']}.json",
    ):
        conforms(document, await client.get(path))
    over = await client.post(f"{base}/Calls/{call.json()['sid']}.json", data={"Status": "completed"})
    conforms(document, over)
