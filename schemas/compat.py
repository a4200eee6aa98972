"""Fail on a change that breaks what was released: ``python -m schemas.compat``.

What was released is written down in ``schemas/json/released/<version>.json``, one committed file per release.
Every release found is held against the models of today. The files are read from the last commit
(``git show HEAD:``), so that an edit in the working tree cannot loosen a promise; where there is no git (a
source archive, a container) the files themselves are read. The schemas of ``HEAD`` would not do as a
baseline: in CI the commit under test *is* ``HEAD``, and tags are absent from a shallow clone.

Breaking, in an event: a field removed, a required field new, a type changed or widened, a field that was
always there no longer so, a word of a closed list removed, a bound narrowed; a type or topic gone, its key,
partitions or signature changed. In a municipality's file widening is welcome, everything else the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.export import JSON_DIR, RELEASED_DIR, Schema, bundle

_UPPER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_FORM: Final = ("pattern", "format")
_NULL: Final = "null"


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return every promise of the bundle ``old`` that ``new`` does not keep."""
    found = list(_topic_breaks(old["topics"], new["topics"]))
    for name, schema in sorted(old["schemas"].items()):
        if name not in new["schemas"]:
            found.append(f"{name}: is gone")
        else:
            is_event = not name.startswith("municipality/")
            comparison = Comparison(schema, new["schemas"][name], is_event)
            found.extend(f"{name}: {fault}" for fault in comparison.faults())
    return found


def _topic_breaks(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[str]:
    for name, topic in old.items():
        if name not in new:
            yield f"topic {name}: is gone"
            continue
        for promise in ("key", "partitions", "signed"):
            if topic[promise] != new[name][promise]:
                yield f"topic {name}: {promise} was {topic[promise]}, is {new[name][promise]}"
        gone = set(topic["types"]) - set(new[name]["types"])
        yield from (f"topic {name}: type {kind} is gone" for kind in sorted(gone))


@dataclass
class Comparison:
    """One released schema against the one of today. ``is_event``: others read what we write."""

    old: Schema
    new: Schema
    is_event: bool
    seen: set[tuple[str, str]] = field(default_factory=set)

    def faults(self) -> Iterator[str]:
        yield from self.compare(self.old, self.new, "#")

    def compare(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and pair in self.seen:
            return
        self.seen.add(pair)
        before, after = _branches(old, self.old), _branches(new, self.new)
        yield from self._kinds(set(before), set(after), at)
        for kind in sorted(set(before) & set(after)):
            yield from self._same_kind(before[kind], after[kind], at)

    def _kinds(self, before: set[str], after: set[str], at: str) -> Iterator[str]:
        if before - after:
            yield f"{at}: no longer takes {_listed(before - after)}, only {_listed(after)}"
        elif self.is_event and after - before - {_NULL}:
            yield f"{at}: was {_listed(before)}, may now be {_listed(after - before)}"

    def _same_kind(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        yield from self._fields(old, new, at)
        yield from _words(old, new, at)
        yield from _bounds(old, new, at)
        for part in ("items", "additionalProperties"):
            if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
                yield from self.compare(old[part], new[part], f"{at}/{part}")

    def _fields(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(before) - set(after)):
            yield f"{at}/{name}: the field was removed"
        asked, given = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(given - asked):
            yield f"{at}/{name}: is required and was not"
        if self.is_event:
            for name in sorted((asked - given) & set(after)):
                if after[name].get("default") is None:
                    yield f"{at}/{name}: was always there and may now be absent"
        for name in sorted(set(before) & set(after)):
            yield from self.compare(before[name], after[name], f"{at}/{name}")


def _words(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, after = _closed_list(old), _closed_list(new)
    if after is not None and before is None:
        yield f"{at}: takes only {_listed(map(str, after))} now"
    elif before is not None and after is not None:
        for word in [word for word in before if word not in after]:
            yield f"{at}: no longer takes the word {word!r}"


def _bounds(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for names, narrower in ((_UPPER, -1), (_LOWER, 1)):
        for name in names:
            before, after = old.get(name), new.get(name)
            if after is not None and (before is None or (after - before) * narrower > 0):
                yield f"{at}: {name} was {before}, is {after}"
    for name in _FORM:
        if new.get(name) is not None and old.get(name) != new.get(name):
            yield f"{at}: {name} was {old.get(name)}, is {new.get(name)}"


def _closed_list(schema: Schema) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _branches(schema: Schema, root: Schema) -> dict[str, Schema]:
    """Return the alternatives of a schema by the kind of JSON value; objects of a union by their title."""
    if "$ref" in schema:
        return _branches(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    options = schema.get("anyOf") or schema.get("oneOf")
    if not options:
        return {str(schema.get("type", "any")): schema}
    found = [pair for option in options for pair in _branches(option, root).items()]
    kinds = [kind for kind, _ in found]
    return {
        kind if kinds.count(kind) == 1 else f"{kind} {branch.get('title')}": branch for kind, branch in found
    }


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def released(directory: Path = JSON_DIR) -> dict[str, Schema]:
    """Return the bundle of every release, from the last commit where there is one, else from the files."""
    texts = _committed(directory / RELEASED_DIR) or {
        path.name: path.read_text(encoding="utf-8") for path in (directory / RELEASED_DIR).glob("*.json")
    }
    return {name: json.loads(text) for name, text in sorted(texts.items())}


def _committed(directory: Path) -> dict[str, str]:
    try:
        names = _git(directory.parent, "ls-tree", "--name-only", "HEAD", f"./{directory.name}/").splitlines()
        return {Path(name).name: _git(directory.parent, "show", f"HEAD:./{name}") for name in names}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout  # noqa: S603 - fixed words


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m schemas.compat")
    parser.add_argument("--baseline", type=Path, help="hold against this bundle instead of the releases")
    chosen = parser.parse_args(arguments)
    if chosen.baseline is not None:
        promises = {chosen.baseline.name: json.loads(chosen.baseline.read_text(encoding="utf-8"))}
    else:
        promises = released()
    if not promises:
        sys.stderr.write("no release in schemas/json/released: nothing to hold the contracts against\n")
        return 1
    today = bundle("today")
    faults = [f"{name}: {fault}" for name, promise in promises.items() for fault in breaks(promise, today)]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
