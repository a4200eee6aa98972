"""Rulebooks that nobody may govern by: each is refused with its line, its field and the reason.

``broken_rulebooks/expected.txt`` is the table: what ``municipio rulebook check FILE`` prints for each of them
in the example town.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from municipio.cli import run
from schemas.municipality import FolderErrors, load_folder, review_folder
from schemas.municipality.yaml_file import MAX_NODES
from tests.unit.schemas.conftest import EXAMPLES

BROKEN = Path(__file__).parent / "broken_rulebooks"
FILES = sorted(BROKEN.glob("*.yaml"))
EJEMPLO = EXAMPLES / "ejemplo"
MEMORY_BYTES = 1 << 30
CPU_S = 60
CHECK = "import sys; from municipio.cli import main; main(['rulebook', 'check', *sys.argv[1:]])"


def expected() -> dict[str, list[str]]:
    table: defaultdict[str, list[str]] = defaultdict(list)
    for line in (BROKEN / "expected.txt").read_text(encoding="utf-8").splitlines():
        table[line.partition(":")[0]].append(line)
    return table


def test_every_broken_rulebook_is_in_the_table() -> None:
    """No fixture without its reason, and no reason without its fixture."""
    assert sorted(expected()) == [file.name for file in FILES]
    assert 100 <= len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_broken_rulebook_is_refused_with_its_reasons(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every fault at once, exit 1, and nothing else on either channel."""
    code = run(["rulebook", "check", str(file), "--municipality", str(EJEMPLO)])
    said = capsys.readouterr()
    printed = [line.replace(f"{BROKEN}/", "", 1) for line in said.out.splitlines()]
    assert (1, "") == (code, said.err)
    assert expected()[file.name] == printed


def test_rulebook_in_force_stays_when_another_is_refused() -> None:
    """A file that was refused leaves nothing behind of itself."""
    before = load_folder(EJEMPLO)
    for file in FILES[:10]:
        with pytest.raises(FolderErrors):
            load_folder(EJEMPLO, rulebook=file)
    after = load_folder(EJEMPLO)
    assert (before.rulebook, before.folder_hash) == (after.rulebook, after.folder_hash)


def test_mark_of_utf8_at_the_start_is_no_fault(tmp_path: Path) -> None:
    """Some editors write it, and nobody sees it."""
    file = tmp_path / "rulebook.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (EJEMPLO / "rulebook.yaml").read_bytes())
    assert all(each.is_warning for each in review_folder(EJEMPLO, rulebook=file))


LARGE: dict[str, tuple[Callable[[], str], str]] = {
    "5,001 rules": (lambda: "rules:\n" + "  - {}\n" * 5001, "rules: holds 5001 rules; expected 1 to 5000"),
    "5,001 rules of JSON": (
        lambda: json.dumps({"rules": [{"id": f"r-{n}"} for n in range(5001)]}),
        "rules: holds 5001 rules; expected 1 to 5000",
    ),
    "5,000 rules that are none": (
        lambda: "rules:\n" + "  - { kind: level }\n" * 5000,
        "rules[4999].signed_by: is required",
    ),
    "one line of a megabyte": (
        lambda: "rules: " + "x" * 1_000_000,
        "rules: must be a list of 1 to 5000 rules",
    ),
    "one key of a megabyte": (lambda: "x" * 1_000_000 + ": 1", "yaml: is not YAML 1.2"),
    "one word of a megabyte in its field": (
        lambda: "rules:\n  - kind: " + "x" * 1_000_000,
        "rules[0].kind: expected one of: level, no_data (found 'xxx",
    ),
    "three megabytes": (lambda: "# " + "x" * 3_000_000, "file: is 3000002 characters long"),
    "seventeen megabytes": (lambda: "{" + " " * 17_000_000 + "}", "file: is longer than 16777216 bytes"),
    "more values than a file is for": (
        lambda: "rules: [" + "1," * 1_000_000 + "]",
        f"yaml: is not YAML 1.2: more than {MAX_NODES} values",
    ),
    "brackets in brackets": (lambda: "rules: " + "[" * 100_000, "yaml: is nested too deeply"),
    "brackets in brackets of JSON": (
        lambda: '{"rules": ' + "[" * 50_000 + "]" * 50_000 + "}",
        "json: is nested too deeply",
    ),
    "laughs by the billion": (
        lambda: "a: &a x\n" + "".join(f"k{n}: &k{n} [{'*a, ' * 100}*a]\n" for n in range(500)),
        "k499: has an anchor (&k499)",
    ),
    "a number of a million digits": (
        lambda: "rules:\n  - { kind: level, confirm: " + "9" * 1_000_000 + " }",
        "rules[0].confirm: is not a number that can be read: it is too long",
    ),
    "a number of a million digits of JSON": (
        lambda: '{"rules": [{"kind": "level", "confirm": ' + "9" * 1_000_000 + "}]}",
        "json: holds a number that is too long",
    ),
}


@pytest.mark.parametrize(("write", "reason"), LARGE.values(), ids=LARGE)
def test_large_rulebook_is_refused_in_bounded_time_and_memory(
    tmp_path: Path, write: Callable[[], str], reason: str
) -> None:
    """A gibibyte and a minute of CPU are enough for the worst file, and no traceback is seen."""
    file = tmp_path / "large.yaml"
    file.write_text(write(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(file), "--municipality", str(EJEMPLO)],
        cwd=Path(__file__).parents[3],
        preexec_fn=_bound,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (1, "") == (done.returncode, done.stderr)
    assert f": {reason}" in done.stdout
    assert all(len(line) < 1000 for line in done.stdout.splitlines())


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
