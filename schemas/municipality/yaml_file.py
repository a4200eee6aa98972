"""YAML 1.2 with line numbers, and nothing in it that could surprise: no tags, no anchors, no twins."""

from __future__ import annotations

import io
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.municipality.document import Document, Loc, pointer
from schemas.municipality.errors import FolderError, FolderErrors

MAX_DEPTH: Final = 30
_TAG: Final = "tag:yaml.org,2002:"
_INFINITE: Final = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_TRUE: Final = ("true", "True", "TRUE")


def yaml_document(file: str, text: str) -> Document:
    """Read one YAML document; a key twice, an anchor or a tag are its ``faults``.

    Raises:
        FolderErrors: It is not YAML.
    """
    root = _compose(file, text)
    walk = _Walk(file)
    content = None if root is None else walk.value(root, ())
    return Document(file, content, lambda: walk.lines, faults=tuple(walk.errors))


def _compose(file: str, text: str) -> Node | None:
    try:
        return YAML(typ="rt", pure=True).compose(io.StringIO(text))  # type: ignore[no-any-return] # untyped
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = 1 if mark is None else mark.line + 1
        problem = err.problem or err.context or "cannot be read"
        raise FolderErrors([FolderError(file, line, "yaml", f"is not YAML 1.2: {problem}")]) from err
    except (YAMLError, ValueError) as err:
        first = str(err).partition("\n")[0]
        raise FolderErrors([FolderError(file, 1, "yaml", f"is not YAML 1.2: {first}")]) from err
    except RecursionError as err:
        raise FolderErrors([FolderError(file, 1, "yaml", "is nested too deeply")]) from err


class _Walk:
    """Turns nodes into plain values and remembers their lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Loc, int] = {}
        self.errors: list[FolderError] = []

    def value(self, node: Node, loc: Loc) -> object:
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if node.anchor:
            return self._wrong(
                node, loc, f"has an anchor (&{node.anchor}); write the value out where it is used"
            )
        if len(loc) > MAX_DEPTH:
            return self._wrong(node, loc, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, object]:
        read: dict[str, object] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                self._wrong(key, loc, "has a key that is not a word")
                continue
            name = str(key.value)
            if name in read:
                self._wrong(key, (*loc, name), f"stands twice; first on line {self.lines[(*loc, name)]}")
                continue
            self.lines[(*loc, name)] = key.start_mark.line + 1
            read[name] = self.value(item, (*loc, name))
        return read

    def _scalar(self, node: Node, loc: Loc) -> object:
        kind, text = str(node.tag or "").removeprefix(_TAG), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text in _TRUE
        if kind == "int":
            return self._int(node, text, loc)
        if kind == "float":
            return float(_INFINITE.get(text.lower(), text.replace("_", "")))
        if kind in ("str", "timestamp"):
            return text
        return self._wrong(node, loc, f"has the tag {node.tag}; only plain values are read")

    def _int(self, node: Node, text: str, loc: Loc) -> object:
        bare = text.replace("_", "")
        try:
            return int(bare, 0) if bare.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(bare)
        except ValueError:
            return self._wrong(node, loc, "is not a number that can be read")

    def _wrong(self, node: Node, loc: Loc, reason: str) -> object:
        """Note what is wrong; the part itself reads as nothing."""
        self.errors.append(FolderError(self.file, node.start_mark.line + 1, pointer(loc), reason))
        return None
