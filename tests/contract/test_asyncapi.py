"""The description of the topics is what the code says, and the standard's own parser reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas import asyncapi
from schemas.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
PARSER = ROOT / "tests" / "support" / "asyncapi"
HOME = ROOT / "var" / "asyncapi"
pytestmark = pytest.mark.timeout(300)  # The first run installs the parser.

ERRORS_AND_WARNINGS = (0, 1)


def test_document_is_what_the_topics_say() -> None:
    """Otherwise run ``python -m schemas.asyncapi``."""
    assert 0 == asyncapi.main(["--check"])


def test_every_service_that_sends_or_receives_is_an_operation() -> None:
    """And nothing else is."""
    wanted = {
        f"{service}.{action}.{kind.name}"
        for topic in TOPICS
        for kind in topic.types
        for action, services in (("send", kind.producers), ("receive", kind.consumers))
        for service in services
    }
    inbound = {f"outsider.send.{kind.name}" for topic in TOPICS for kind in topic.types if kind.inbound}
    assert wanted | inbound == asyncapi.document()["operations"].keys()


def test_the_standards_own_parser_finds_nothing_wrong() -> None:
    """No error, no warning; it sees every topic and type."""
    said = parsed(asyncapi.DOCUMENT)
    assert [] == [each for each in said["diagnostics"] if each["severity"] in ERRORS_AND_WARNINGS]
    kinds = [kind for topic in TOPICS for kind in topic.types]
    assert ("3.0.0", len(TOPICS), len(kinds)) == (said["version"], said["channels"], said["messages"])


def test_the_parser_would_have_found_a_fault(tmp_path: Path) -> None:
    """An operation on a channel that is not there."""
    broken = asyncapi.document()
    del broken["channels"]["readings"]
    path = tmp_path / "asyncapi.json"
    path.write_text(json.dumps(broken))
    assert 0 in {each["severity"] for each in parsed(path)["diagnostics"]}


def parsed(document: Path) -> dict[str, Any]:
    home = installed()
    command = ["node", str(home / "validate.mjs"), str(document)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert 0 == done.returncode, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def installed() -> Path:
    """Return the folder of the parser as its lock file names it; installed below ``var/`` once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are absent: install them (apt-get install nodejs npm) to run this test")
    locked = (PARSER / "package-lock.json").read_bytes()
    mark = HOME / "node_modules" / ".installed"
    if not mark.is_file() or mark.read_bytes() != locked:
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PARSER / name, HOME / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=170, check=False)
        assert 0 == done.returncode, done.stderr
        mark.write_bytes(locked)
    shutil.copy(PARSER / "validate.mjs", HOME / "validate.mjs")
    return HOME
