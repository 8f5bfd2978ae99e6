"""A customisation file as its author wrote it: YAML front matter, where each key stands, the body.

Knows nothing of what the keys mean. What is broken is a Problem with its line, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

FRONT_MATTER_CHARS = 32_000
DEPTH = 24
"""How deep a document may nest: the YAML library recurses."""

_FENCE = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_UNQUOTED_STAR = re.compile(r"^\s*[\w-]+:\s*\*")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, for the person who can mend it."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.message}"


class _Refused(ValueError):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line
        """From 0, within the YAML."""


@dataclass(frozen=True)
class Document:
    path: str
    body: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    """The line of each key."""
    problems: tuple[Problem, ...] = ()

    def problem(self, key: str, message: str) -> Problem:
        return Problem(self.path, message, self.lines.get(key))


def parse(path: str, text: str) -> Document:
    """*text* with front matter, or without any; broken front matter is left out and told."""
    found = _FENCE.match(text)
    if found is None:
        begins = text.lstrip("\ufeff").startswith(("---\n", "---\r\n"))
        problems = (Problem(path, "the front matter has no closing ---", 1),) if begins else ()
        return Document(path, "" if begins else text, problems=problems)
    loaded = load(path, found[1], first_line=2)
    return Document(path, text[found.end() :], loaded.keys, loaded.lines, loaded.problems)


def load(path: str, text: str, *, first_line: int = 1) -> Document:
    """The mapping that *text* is, in YAML without anchors and tags of its own; no body."""
    if len(text) > FRONT_MATTER_CHARS:
        message = f"more than {FRONT_MATTER_CHARS} characters of YAML; none of it is used"
        return Document(path, "", problems=(Problem(path, message, first_line),))
    try:
        _check(text)
        keys, lines = _mapping(text, first_line)
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        return Document(path, "", problems=(Problem(path, _explained(error, text), line),))
    except _Refused as error:
        message = f"not valid YAML: {error}"
        return Document(path, "", problems=(Problem(path, message, first_line + error.line),))
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        return Document(path, "", problems=(Problem(path, f"not valid YAML: {said}", first_line),))
    return Document(path, "", keys, lines)


def line_of(text: str, *keys: str | int) -> int:
    """The line, from 1, of what *keys* lead to in valid YAML; of the last of them that is there."""
    return _line_at(yaml.compose(text, Loader=yaml.SafeLoader), keys)


class Lines:
    """Where the parts of a JSON text are, which is nearly YAML; read when somebody asks."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, *keys: str | int) -> int:
        """As `line_of`; 1 where that cannot be told."""
        return _line_at(self._root, keys) if keys else 1

    @cached_property
    def _root(self) -> yaml.Node | None:
        try:
            return yaml.compose(self._text.replace("\t", " "), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError, ValueError):
            return None


def _line_at(node: yaml.Node | None, keys: Sequence[str | int]) -> int:
    line = 0
    for key in keys:
        node, line = _below(node, key, line)
        if node is None:
            break
    return line + 1


def _below(node: yaml.Node | None, key: str | int, line: int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        found: yaml.Node = node.value[key]
        return found, _line(found.start_mark)
    if isinstance(node, yaml.MappingNode):
        for name, held in node.value:
            if str(name.value) == key:
                return held, _line(name.start_mark)
    return None, line


def _check(text: str) -> None:
    """Refuse what can blow up while it is read: references, and nesting without end."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("references (*name) are not supported", _line(event.start_mark))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise _Refused("nested too deep", _line(event.start_mark))


def _line(mark: Any) -> int:
    return 0 if mark is None else int(mark.line)


def _mapping(text: str, first_line: int) -> tuple[dict[str, Any], dict[str, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise _Refused("expected `key: value` lines", _line(node.start_mark))
        lines = {str(key.value): key.start_mark.line + first_line for key, _ in node.value}
        loaded = loader.construct_document(node)
    finally:
        loader.dispose()
    return {str(key): value for key, value in loaded.items()}, lines


def _explained(error: yaml.MarkedYAMLError, text: str) -> str:
    said = error.problem or "broken"
    lines = text.splitlines()
    line = error.problem_mark.line if error.problem_mark else 0
    hint = ""
    if line < len(lines) and _UNQUOTED_STAR.match(lines[line]):
        hint = "; put a value that begins with * in quotes"
    return f"not valid YAML: {said}{hint}"
