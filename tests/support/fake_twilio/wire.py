"""The server, with a way to cut a connection as a broken network does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close with RST


class _CuttableProtocol(H11Protocol):
    """Remembers each connection by its peer, since ASGI does not show it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn itself
        super().connection_made(transport)
        if self.client is not None:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _open.pop(self.client, None)
        super().connection_lost(exc)


def reset(scope: MutableMapping[str, Any]) -> None:
    """Cut the connection of a request with a TCP reset; without one (in-process tests) do nothing."""
    transport = _open.get(tuple(scope.get("client") or ()))
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    transport.abort()


def server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app, http=_CuttableProtocol, lifespan="off", log_level="warning", access_log=False, backlog=4096
    )
    return _QuietServer(config)


class _QuietServer(uvicorn.Server):
    """Leaves signals to whoever started it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _socket(host: str, port: int) -> socket.socket:
    # Named TCP, not "any stream": asyncio sets TCP_NODELAY only then, and 40 ms per answer hang on it.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as err:
        sock.close()
        raise OSError(err.errno, f"port {port} of {host} cannot be used: {err.strerror}") from err
    return sock


@asynccontextmanager
async def listening(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve on a port (0: a free one) in this loop; yield the base URL."""
    sock = _socket(host, port)
    serving = server(app)
    task = asyncio.create_task(serving.serve(sockets=[sock]))
    try:
        while not serving.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield f"http://{host}:{sock.getsockname()[1]}"
    finally:
        serving.should_exit = True
        serving.force_exit = True
        await task
        sock.close()
