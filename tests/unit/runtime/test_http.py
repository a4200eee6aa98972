"""Answers over HTTP: problem details, bounds, the administrator, health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel

from services.runtime.errors import DatabaseDown
from services.runtime.health import Health
from services.runtime.http import Problem, admin_guard, body_limited, serve, service_app
from services.runtime.metrics import REGISTRY


class Body(BaseModel):
    level: int


def build(health: Health) -> FastAPI:
    app = service_app("testing", health, REGISTRY)

    @app.post("/bounded")
    async def bounded(request: Request) -> int:
        return len(await body_limited(request, 10))

    @app.post("/typed")
    async def typed(body: Body) -> int:
        return body.level

    @app.get("/busy")
    async def busy() -> None:
        raise DatabaseDown("away")

    @app.get("/bug")
    async def bug() -> None:
        raise KeyError("secret")

    @app.get("/problem")
    async def refuse() -> None:
        raise Problem(
            409, "Conflict", "version 3 is gone", [{"pointer": "#/version", "detail": "is 3, now 4"}]
        )

    @app.get("/admin/v1/status", dependencies=[Depends(admin_guard("s3cret"))])
    async def status() -> dict[str, bool]:
        return {"ok": True}

    return app


@pytest.fixture
def health() -> Health:
    return Health("testing")


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(health), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testing") as client:
        yield client


async def test_a_refusal_is_a_problem_document(client: httpx.AsyncClient) -> None:
    """RFC 9457, with a pointer to what is wrong."""
    answer = await client.get("/problem")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "version 3 is gone",
        "errors": [{"pointer": "#/version", "detail": "is 3, now 4"}],
    }


async def test_a_busy_database_is_503_with_retry_after(client: httpx.AsyncClient) -> None:
    """Nothing of the request was stored: the client may send it again."""
    answer = await client.get("/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_a_bug_says_nothing_of_itself(client: httpx.AsyncClient) -> None:
    """500 without a trace or a value."""
    answer = await client.get("/bug")
    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nowhere", "GET", 404), ("/problem", "DELETE", 405)],
)
async def test_what_does_not_exist_is_a_problem_too(client, path: str, method: str, status: int) -> None:
    """One form for every error."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_body_above_its_limit_is_413_however_it_is_sent(client: httpx.AsyncClient) -> None:
    """By its announced length or by counting."""

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x"

    assert (await client.post("/bounded", content=b"x" * 10)).json() == 10
    assert (await client.post("/bounded", content=b"x" * 11)).status_code == 413
    assert (await client.post("/bounded", content=in_pieces())).status_code == 413
    lies = {"content-length": "9" * 400}
    assert (await client.post("/bounded", content=in_pieces(), headers=lies)).status_code == 413


async def test_an_invalid_body_points_to_the_field(client: httpx.AsyncClient) -> None:
    """Not JSON is 400, understood and refused is 422."""
    refused = await client.post("/typed", json={"level": "high"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#/level"
    assert (
        await client.post("/typed", content=b"{", headers={"content-type": "application/json"})
    ).status_code == 400


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer s3cre", 401),
        ("Basic s3cret", 401),
        ("", 401),
        ("Bearer ñ", 401),
    ],
)
async def test_admin_routes_need_the_token(client, authorization: str, status: int) -> None:
    """401 says how to ask."""
    answer = await client.get("/admin/v1/status", headers={"authorization": authorization.encode()})
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_health_and_readiness_are_told_apart(client: httpx.AsyncClient, health: Health) -> None:
    """A consumer that stopped at our own bug is not ready and alive; the reason is shown."""
    assert (await client.get("/readyz")).status_code == 200
    health.fail("consumer:incidents", "incidents[0]@7 cannot be read")
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["troubles"]) == (
        503,
        {"consumer:incidents": "incidents[0]@7 cannot be read"},
    )


async def test_metrics_and_the_description_are_served(client: httpx.AsyncClient) -> None:
    """What Prometheus and a client developer ask for."""
    assert "municipio_relay_held_keys" in (await client.get("/metrics")).text
    assert "/typed" in (await client.get("/openapi.json")).json()["paths"]


async def test_serving_ends_when_told(health: Health, unused_port: int) -> None:
    """The server leaves signals alone and stops with its process."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(build(health), "127.0.0.1", unused_port, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_port}") as client:
        for _ in range(200):
            try:
                assert (await client.get("/healthz")).status_code == 200
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_a_taken_address_is_an_error_not_a_hang(health: Health, unused_port: int) -> None:
    """The manager sees the process end."""
    stop = asyncio.Event()
    first = asyncio.create_task(serve(build(health), "127.0.0.1", unused_port, stop))
    await asyncio.sleep(0.1)
    with pytest.raises(OSError, match="in use"):
        await serve(build(health), "127.0.0.1", unused_port, asyncio.Event())
    stop.set()
    await asyncio.wait_for(first, 10)
