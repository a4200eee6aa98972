"""Hold what the documents show against the code: ``python -m docs.examples``; exit 1 where one is untrue.

Commands of ``municipio`` and their options exist and answer ``--help``; targets of ``make``, files that are
linked or named, and settings exist; a JSON block parses, and one that names its event type is such an event.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import typer.main
from pydantic import ValidationError

from municipio.cli import app, run
from schemas.topics import BY_TYPE

ROOT: Final = Path(__file__).resolve().parents[1]
NOT_OURS: Final = frozenset({"var", "node_modules"})

_FENCE: Final = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`(?P<code>[^`\n]+)`")
_LINK: Final = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")
_TARGET: Final = re.compile(r"^([a-z-]+):", re.MULTILINE)
_SETTING: Final = re.compile(r"\bMUNICIPIO_[A-Z0-9_]+\b")
_COMMAND: Final = re.compile(r"(?:^|\s|bin/)municipio(?P<words>(?: [^\n#]+)?)")
_MAKE: Final = re.compile(r"(?:^|\s)make (?P<target>[a-z-]+)")
# Stands for something that whoever reads fills in.
_OPEN: Final = re.compile(r"[<>*|…{}]|\.\.\.")


@dataclass(frozen=True, slots=True)
class Document:
    """One page. ``fences`` are kind and text of its blocks, ``codes`` all that is written as code."""

    path: Path
    text: str

    @property
    def fences(self) -> list[tuple[str, str]]:
        return [(found["kind"].strip(), found["code"]) for found in _FENCE.finditer(self.text)]

    @property
    def spans(self) -> list[str]:
        return [found["code"] for found in _SPAN.finditer(_FENCE.sub("", self.text))]

    @property
    def codes(self) -> list[str]:
        lines = [line for _, code in self.fences for line in code.splitlines()]
        return [*lines, *self.spans]


def documents(root: Path = ROOT) -> list[Document]:
    """Return every page of the repository."""
    found = sorted(path for path in root.rglob("*.md") if not _is_foreign(path.relative_to(root)))
    return [Document(path, path.read_text(encoding="utf-8")) for path in found]


def faults(document: Document, root: Path = ROOT) -> list[str]:
    """Return what a page shows and the code does not hold."""
    where = document.path.relative_to(root)
    every = (*_commands(document), *_targets(document, root), *_files(document, root))
    return [f"{where}: {fault}" for fault in (*every, *_settings(document, root), *_json(document))]


def _is_foreign(path: Path) -> bool:
    return any(part in NOT_OURS or part.startswith(".") for part in path.parts)


def _commands(document: Document) -> Iterator[str]:
    for code in document.codes:
        for found in _COMMAND.finditer(code):
            fault = _fault_of_command(found["words"].strip())
            if fault is not None:
                yield f"`municipio {found['words'].strip()}`: {fault}"


def _fault_of_command(words: str) -> str | None:
    """Return why a command line is none; what follows the command's own name is only read for options."""
    try:
        given = shlex.split(words)
    except ValueError as err:
        return str(err)
    here: Any = typer.main.get_command(app)  # Any: whichever of click's kinds it is
    path: list[str] = []
    while given and hasattr(here, "commands") and not given[0].startswith("-"):
        if given[0] not in here.commands:
            return None if _is_prose(given[0]) else f"there is no command {given[0]!r}"
        here = here.commands[given[0]]
        path.append(given.pop(0))
    known = {name for parameter in here.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [
        word for word in given if word.startswith("--") and word.split("=")[0] not in known | {"--help"}
    ]
    if unknown:
        return f"there is no option {unknown[0]}"
    return None if _answers_help(tuple(path)) else "does not answer --help"


def _is_prose(word: str) -> bool:
    """Say whether a word after the name belongs to a sentence, or stands for any command."""
    return _OPEN.search(word) is not None or not word.isascii() or not word[0].islower()


@cache
def _answers_help(path: tuple[str, ...]) -> bool:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = run([*path, "--help"])
    return code == 0 and "--help" in said.getvalue()


def _targets(document: Document, root: Path) -> Iterator[str]:
    targets = set(_TARGET.findall((root / "Makefile").read_text(encoding="utf-8")))
    for code in document.codes:
        for found in _MAKE.finditer(code):
            if found["target"] not in targets:
                yield f"`make {found['target']}`: the Makefile has no such target"


def _files(document: Document, root: Path) -> Iterator[str]:
    for found in _LINK.finditer(document.text):
        target = found["target"]
        if "://" not in target and not (document.path.parent / target).exists():
            yield f"({target}): there is no such file"
    top = {path.name for path in root.iterdir()} - NOT_OURS
    for span in document.spans:
        first = span.split("/")[0]
        is_path = "/" in span and " " not in span and first in top and not _OPEN.search(span)
        if is_path and not (root / span.partition("::")[0]).exists():
            yield f"`{span}`: there is no such file"


def _settings(document: Document, root: Path) -> Iterator[str]:
    if document.path.name == "CHANGELOG.md":  # It names settings that are gone, too.
        return
    explained = (root / "deploy/env.example").read_text(encoding="utf-8")
    for name in sorted({name for code in document.codes for name in _SETTING.findall(code)}):
        if name not in explained:
            yield f"`{name}`: deploy/env.example does not explain it"


def _json(document: Document) -> Iterator[str]:
    """A block's language may be followed by the event type that it is an example of."""
    for kind, code in document.fences:
        language, _, event = kind.partition(" ")
        if language != "json":
            continue
        try:
            value = json.loads(code)
            if event:
                BY_TYPE[event][1].model.model_validate(value)
        except (ValueError, KeyError, ValidationError) as err:
            yield f"JSON block {event}: {' '.join(str(err).split())[:200]}"


def main() -> int:
    """Print every fault; return the exit code."""
    found = [fault for document in documents() for fault in faults(document)]
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
