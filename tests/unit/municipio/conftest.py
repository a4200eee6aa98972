"""A stand-in for the services' administration, and a way to call the command line as a shell would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from municipio.cli import run

TOKEN = "a-token"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str


@dataclass
class StubServices:
    """Answers ``(method, path)`` with ``(status, body)``; a callable body gets the request."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, body: Any, status: int = 200) -> None:
        self.answers[method, path] = (status, body)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        self.asked.append(asked)
        problem = {"title": "Not Found", "detail": asked.path}
        status, body = self.answers.get((asked.method, asked.path), (404, problem))
        return status, body(asked) if callable(body) else body


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubServices]:
    """One server that stands for ingest, triage, notify and console, and an environment that names it."""
    stub = StubServices()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    for name in ("INGEST", "TRIAGE", "NOTIFY", "CONSOLE"):
        monkeypatch.setenv(f"MUNICIPIO_{name}_URL", stub.url)
    monkeypatch.setenv("MUNICIPIO_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("MUNICIPIO_DATA_DIR", str(tmp_path / "data"))
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def municipio(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``municipio WORDS…``: exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        code = run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def _handler(stub: StubServices) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body, token)
            status, answer = stub.answer(asked)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_words: object) -> None:
            pass

    return Handler
