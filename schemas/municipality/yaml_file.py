"""YAML 1.2 with line numbers, and nothing in it that could surprise: no tags, no anchors, no twins."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.municipality.document import Document, Loc, cut, pointer
from schemas.municipality.errors import FolderError, FolderErrors

MAX_DEPTH: Final = 30
_TAG: Final = "tag:yaml.org,2002:"
_INFINITE: Final = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_TRUE: Final = ("true", "True", "TRUE")
_MOSTLY: Final = {
    "character '\\t'": "; indent with blanks, not with a tab",
    "mapping values are not allowed": "; a text with a colon and a blank needs quotes",
    "expected <block end>": "; the line is not indented like those beside it",
    "end of stream": "; a quote or a bracket that opens here is never closed",
    "another document": "; only one is read, without ---",
}
MAX_NODES: Final = 250_000
"""More than a YAML file of the size that is read holds in earnest; they take ten seconds."""
# YAML 1.1 reads these as true and false, or in base sixty; YAML 1.2 and we as text.
_TWO_MEANINGS: Final = re.compile(r"yes|no|on|off|[-+]?[1-9][0-9]*(:[0-5]?[0-9])+", re.IGNORECASE)
_HALF: Final = re.compile("[\ud800-\udfff]")
_NUMBER: Final = re.compile(
    r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?"
)


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
        reader = YAML(typ="rt", pure=True)
        reader.Composer = _BoundedComposer
        return reader.compose(io.StringIO(text))  # type: ignore[no-any-return] # untyped
    except MarkedYAMLError as err:
        raise FolderErrors([_syntax(file, err)]) from err
    except (YAMLError, ValueError) as err:
        first = str(err).partition("\n")[0]
        raise FolderErrors([FolderError(file, 1, "yaml", f"is not YAML 1.2: {first}")]) from err
    except RecursionError as err:
        raise FolderErrors([FolderError(file, 1, "yaml", "is nested too deeply")]) from err


def _syntax(file: str, err: MarkedYAMLError) -> FolderError:
    """Say what the reader stumbled over, where it began, and what people mostly did."""
    problem = err.problem or err.context or "cannot be read"
    is_open = "end of stream" in problem and err.context_mark is not None
    mark = err.context_mark if is_open else err.problem_mark or err.context_mark
    meant = next((words for part, words in _MOSTLY.items() if part in problem), "")
    line = 1 if mark is None else mark.line + 1
    return FolderError(file, line, "yaml", f"is not YAML 1.2: {problem}{meant}")


class _BoundedComposer(Composer):
    """Gives up on a file of too many values before it costs minutes and gigabytes."""

    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:  # Any: as the library has it
        self.nodes += 1
        if self.nodes > MAX_NODES:
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=mark)
        return super().compose_node(parent, index)


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
        tag = str(node.tag or "").removeprefix(_TAG)
        if not isinstance(node, ScalarNode) and tag not in ("map", "seq"):
            return self._wrong(node, loc, f"has the tag {node.tag}; only plain values are read")
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, loc)
        return self._wrong(node, loc, "is nothing that can be read")

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

    def _scalar(self, node: ScalarNode, loc: Loc) -> object:
        kind, text = str(node.tag or "").removeprefix(_TAG), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text in _TRUE
        if kind in ("int", "float"):
            return self._number(node, kind, text, loc)
        if kind in ("str", "timestamp"):
            if not node.style and _TWO_MEANINGS.fullmatch(text):
                return self._wrong(
                    node, loc, f"{cut(text)} means something else to other readers: put it in quotes"
                )
            return text
        return self._wrong(node, loc, f"has the tag {node.tag}; only plain values are read")

    def _number(self, node: Node, kind: str, text: str, loc: Loc) -> object:
        if text.lower() in _INFINITE:
            return float(_INFINITE[text.lower()])
        if not _NUMBER.fullmatch(text):
            reason = f"{cut(text)} is not a plain decimal number: no zero in front, no _, no other base"
            return self._wrong(node, loc, reason)
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:
            return self._wrong(node, loc, "is not a number that can be read: it is too long")

    def _wrong(self, node: Node, loc: Loc, reason: str) -> object:
        """Note what is wrong; the part itself reads as nothing."""
        self.errors.append(FolderError(self.file, node.start_mark.line + 1, pointer(loc), reason))
        return None
