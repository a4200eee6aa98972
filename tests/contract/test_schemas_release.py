"""The generated schemas are those of the models, and a broken promise turns the check red."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from schemas import compat
from schemas.export import JSON_DIR, drift, release, write
from tests.support.towns import change

ROOT = Path(__file__).parents[2]
TOWNS = sorted(path.parent for path in (ROOT / "deploy" / "municipalities").glob("*/municipality.yaml"))
FILES = {
    "municipality.yaml": "municipality",
    "legal.yaml": "legal",
    "operators.yaml": "operators",
    "zones.geojson": "zones",
    "refuges.geojson": "refuges",
    "rulebook.yaml": "rulebook",
    "protocols.yaml": "protocols",
    "shifts.yaml": "shifts",
    "profiles/guaiba.yaml": "profile",
    "profiles/canonical.yaml": "profile",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The contracts in another place, without git, to be spoiled."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "schemas", tmp_path / "schemas", ignore=ignore))


def run(module: str, copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"schemas.{module}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=copy.parent, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_generated_schemas_are_those_of_the_models() -> None:
    """Nobody edits ``schemas/json`` by hand, and nobody forgets to write it."""
    assert [] == drift()


def test_drift_is_found(copy: Path) -> None:
    """A missing, an edited and a left-over schema are each named."""
    directory = copy / "json"
    (directory / "clock.ticked.json").unlink()
    (directory / "old.type.json").write_text("{}")
    change(directory, "task.updated.json", '"object"', '"array"')
    faults = drift(directory)
    assert 3 == len(faults), faults
    assert 31 <= write(directory)
    assert [] == drift(directory)


def test_check_says_what_drifted(copy: Path) -> None:
    """``python -m schemas.export --check`` exits 1 after a model changed, and 0 once it was run."""
    change(copy, "events/readings.py", "    now: Moment\n", "    now: Moment\n    rate: float = 1\n")
    checked = run("export", copy, "--check")
    assert (1, True) == (
        checked.returncode,
        "clock.ticked.json: is not what the models say" in checked.stderr,
    )
    assert 0 == run("export", copy).returncode
    assert 0 == run("export", copy, "--check").returncode


def test_contracts_keep_every_released_promise() -> None:
    """What stands in the tree breaks nothing that was released."""
    assert 0 == compat.main([])


def test_untouched_copy_keeps_every_promise(copy: Path) -> None:
    """Without git the released files themselves are read."""
    checked = run("compat", copy)
    assert (0, "") == (checked.returncode, checked.stderr)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("events/incidents.py", "    corroboration: int = 0\n", "", "incident.classified: #/corroboration"),
        (
            "events/readings.py",
            "    now: Moment\n",
            "    now: Moment\n    rate: float\n",
            "#/rate: is required",
        ),
        ("events/tasks.py", "max_length=300", "max_length=200", "#/title: maxLength was 300, is 200"),
        ("events/tasks.py", "    title: Annotated[str, Field(max_length=300)]", "    title: int", "#/title"),
        ("vocabulary.py", '    REACH_BLOCK = "reach_block"\n', "", "no longer takes the word 'reach_block'"),
        ("municipality/rules/level.py", "    clear_below: float\n", "", "clear_below: the field was removed"),
        (
            "topics.py",
            'key="incident id",\n    partitions=6',
            'key="municipality",\n    partitions=6',
            "key was",
        ),
    ],
    ids=["field removed", "required field", "shorter", "other type", "word removed", "file's field", "key"],
)
def test_breaking_change_turns_the_check_red(
    copy: Path, file: str, old: str, new: str, expected: str
) -> None:
    """A change that a consumer of the last release would not survive exits 1 and is named."""
    change(copy, file, old, new)
    checked = run("compat", copy)
    assert (1, True) == (checked.returncode, expected in checked.stderr), checked.stderr


def test_addition_with_a_default_stays_green(copy: Path) -> None:
    """Within a major there are only additions with defaults."""
    change(copy, "events/readings.py", "    now: Moment\n", "    now: Moment\n    rate: float = 1\n")
    assert 0 == run("compat", copy).returncode


def test_edited_promise_does_not_loosen_the_check(copy: Path) -> None:
    """The promise is read from the last commit: an edit in the working tree is no way out."""
    git = ["git", "-C", str(copy.parent), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "release"]):
        subprocess.run([*git, *step], check=True)
    change(copy, "events/incidents.py", "    corroboration: int = 0\n", "")
    for path in (copy / "json" / "released").iterdir():
        path.unlink()
    checked = run("compat", copy)
    assert (1, True) == (checked.returncode, "#/corroboration" in checked.stderr)


def test_nothing_released_is_no_green(copy: Path) -> None:
    """A check that compared with nothing would prove nothing."""
    shutil.rmtree(copy / "json" / "released")
    assert 1 == run("compat", copy).returncode


def test_promise_is_made_once(tmp_path: Path) -> None:
    """A release that stands is not written over."""
    release("0.1.0", tmp_path)
    with pytest.raises(FileExistsError):
        release("0.1.0", tmp_path)


@pytest.mark.parametrize("town", TOWNS, ids=lambda town: town.name)
def test_shipped_folders_fit_their_published_schemas(town: Path) -> None:
    """An editor that knows only ``schemas/json/municipality`` accepts our own files."""
    for name, schema_name in FILES.items():
        path = town / name
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if name.endswith("json") else _plain(text)
        schema = json.loads((JSON_DIR / "municipality" / f"{schema_name}.json").read_text(encoding="utf-8"))
        jsonschema.validate(content, schema)


def _plain(text: str) -> object:
    """Read YAML as an editor does: times stay text."""
    reader = YAML(typ="safe", pure=True)
    reader.constructor.add_constructor(
        "tag:yaml.org,2002:timestamp", lambda constructor, node: constructor.construct_scalar(node)
    )
    return reader.load(text)
