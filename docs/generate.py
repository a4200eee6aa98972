"""Write what is drawn from the code below ``docs/``: ``python -m docs.generate``; ``--check`` compares.

``asyncapi.json``, ``openapi/<service>.json``, ``flow.md``.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from schemas import asyncapi
from schemas.topics import TOPICS, EventType, Topic

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
AGAIN: Final = "run python -m docs.generate"


def wanted() -> dict[str, str]:
    """Return the text of every file by its path below ``docs/``."""
    described = {f"openapi/{service}.json": _json(said) for service, said in openapi().items()}
    return {"asyncapi.json": asyncapi.written(), "flow.md": flow(), **described}


def openapi() -> Mapping[str, Any]:
    """Return each process's own description of its doors."""
    from prometheus_client import CollectorRegistry

    from services.console.app import App as Console
    from services.console.settings import ConsoleSettings
    from services.ingest.app import App as Ingest
    from services.ingest.domain.sensors import Catalogue
    from services.ingest.settings import IngestSettings
    from services.notify.app import App as Notify
    from services.notify.carrier_settings import CarrierSettings
    from services.notify.inbound.door import Door
    from services.notify.outbound.spool import Spool
    from services.notify.settings import NotifySettings
    from services.runtime.clock import SystemClock
    from services.runtime.database import Database
    from services.runtime.health import Health
    from services.triage.app import App as Triage
    from services.triage.settings import TriageSettings

    with _somewhere() as folder:
        db, clock = Database(f"sqlite+aiosqlite:///{folder}/none.sqlite"), SystemClock()
        given: dict[str, Any] = {"db": db, "clock": clock}
        spool = Spool(folder / "door.sqlite")
        registry = CollectorRegistry()
        doors = {
            "ingest": Ingest(IngestSettings(), catalogue=Catalogue(), **given).http,
            "triage": Triage(TriageSettings(), municipalities={}, **given).http,
            "notify": Notify(NotifySettings(), municipalities={}, **given).http,
            "door": Door(CarrierSettings(), spool, clock, Health("door"), registry).http,
            "console": Console(ConsoleSettings(), municipalities={}, **given).http,
        }
        return {service: http.openapi() for service, http in doors.items()}


@contextmanager
def _somewhere() -> Iterator[Path]:
    """Give a folder with keys, and settings that name nothing of this machine."""
    from municipio.keyring import make_keys

    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_keys(folder / "keys", folder)
        for each in [each for each in os.environ if each.startswith("MUNICIPIO_")]:
            del os.environ[each]
        os.environ |= {
            "MUNICIPIO_DATA_DIR": name,
            "MUNICIPIO_KEYS_DIR": str(folder / "keys"),
            "MUNICIPIO_ADMIN_TOKEN": "none",
            "MUNICIPIO_PHONE_KEY": (folder / "keys" / "phone_key").read_text(),
            "MUNICIPIO_TWILIO_ACCOUNT_SID": (folder / "keys" / "twilio_account_sid").read_text(),
            "MUNICIPIO_TWILIO_AUTH_TOKEN": (folder / "keys" / "twilio_auth_token").read_text(),
        }
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


def flow() -> str:
    """Return the flow as a drawing and as a table: who says what on which topic, and what it leads to."""
    lines = [
        "# The flow",
        "",
        "Drawn from `schemas/topics.py` and `services/*/handlers` by `python -m docs.generate`.",
        "",
        "```mermaid",
        "flowchart LR",
        *_drawing(),
        "```",
        "",
    ]
    for topic in TOPICS:
        lines += _section(topic)
    return "\n".join(lines).rstrip() + "\n"


def _drawing() -> Iterator[str]:
    services = sorted({each for topic in TOPICS for kind in topic.types for each in _speakers(kind)})
    for service in services:
        yield f"  {_id(service)}[{service}]"
    for topic in TOPICS:
        yield f"  {_id('topic.' + topic.name)}[({topic.name})]"
    for topic in TOPICS:
        place = _id("topic." + topic.name)
        for service in sorted({each for kind in topic.types for each in _producers(kind)}):
            said = [kind.name for kind in topic.types if service in _producers(kind)]
            yield f'  {_id(service)} -- "{"<br>".join(said)}" --> {place}'
        for service in sorted({each for kind in topic.types for each in kind.consumers}):
            yield f"  {place} --> {_id(service)}"


def _section(topic: Topic) -> list[str]:
    kept = "without limit" if topic.retention is None else f"{topic.retention.days} days"
    signed = "signed" if topic.signed else "not signed"
    head = [
        f"## `{topic.name}`",
        "",
        f"Key: {topic.key} · {topic.partitions} partitions · kept {kept} · {signed}",
        "",
    ]
    if not topic.types:
        return [*head, "Nothing is said here yet.", ""]
    rows = [_row(kind) for kind in topic.types]
    return [*head, "| event | says it | what it leads to |", "|---|---|---|", *rows, ""]


def _row(kind: EventType) -> str:
    led = [f"{service}: {_what(service, kind)}" for service in kind.consumers] or ["—"]
    return f"| `{kind.name}` | {', '.join(_producers(kind))} | {'<br>'.join(led)} |"


def _what(service: str, kind: EventType) -> str:
    """Return what a handler says that it does, as a link to it."""
    path = Path("services") / service / "handlers" / f"on_{kind.name.replace('.', '_')}.py"
    if not (ROOT / path).is_file():
        return "(no handler)"
    doc = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or path.stem
    sentence = " ".join(doc.split("\n\n")[0].split()).partition(": ")[2] or doc.splitlines()[0]
    return f"[{sentence.replace('|', '/')}](../{path.as_posix()})"


def _producers(kind: EventType) -> tuple[str, ...]:
    return (*kind.producers, *(("outsiders",) if kind.inbound else ()))


def _speakers(kind: EventType) -> tuple[str, ...]:
    return (*_producers(kind), *kind.consumers)


def _id(name: str) -> str:
    return name.replace(".", "_")


def _json(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def drift() -> list[str]:
    """Return each file that is not what the code says."""
    texts = wanted()
    faults = [name for name, text in texts.items() if _read(name) != text]
    known = {f"openapi/{path.name}" for path in (DOCS / "openapi").glob("*.json")}
    return sorted(faults) + sorted(known - texts.keys())


def write() -> None:
    """Write every file, and remove the description of a service that is gone."""
    texts = wanted()
    for path in (DOCS / "openapi").glob("*.json"):
        if f"openapi/{path.name}" not in texts:
            path.unlink()
    for name, text in texts.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")


def _read(name: str) -> str | None:
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m docs.generate", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    faults = drift()
    sys.stderr.writelines(f"docs/{name}: is not what the code says; {AGAIN}\n" for name in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
