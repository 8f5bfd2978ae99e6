"""A repository's instructions: which files there are, what they say, and for which paths.

Knows nothing of git or of prompts: texts by path come in, guides go out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from journeyman.agent.customisation import globs
from journeyman.agent.customisation.documents import Document, Problem, parse
from journeyman.agent.text import clean

REPOSITORY_WIDE = ".github/copilot-instructions.md"
SCOPED_DIRECTORY = ".github/instructions/"
SCOPED_SUFFIX = ".instructions.md"
AGENTS = "AGENTS.md"
ROOT_FILES = ("GEMINI.md", "CLAUDE.md", AGENTS)
"""The later one wins."""
OPERATORS = "the operator's instructions"
"""In place of a path."""
GUIDE_CHARS = 16_000
THIS_AGENT = frozenset({"coding-agent", "cloud-agent"})
OTHER_AGENTS = frozenset({"code-review"})
KEYS = frozenset({"applyTo", "excludeAgent", "description", "name"})


@dataclass(frozen=True)
class Guide:
    """One file of instructions. *globs*: the paths it is for; none: all of them."""

    path: str
    text: str
    globs: tuple[str, ...] = ()

    def applies(self, path: str) -> bool:
        return any(globs.matches(pattern, path) for pattern in self.globs)


def read(files: Mapping[str, str]) -> tuple[list[Guide], list[Problem]]:
    """From the general to the particular; what is said twice is kept once."""
    problems = list[Problem]()
    found = [
        guide
        for guide in (*_everywhere(files, problems), *_nested(files, problems))
        if guide.text.strip()
    ]
    # CLAUDE.md is often a link to AGENTS.md: the one that wins is kept.
    newest = {(guide.text, guide.globs): guide for guide in found}
    return [guide for guide in found if newest[guide.text, guide.globs] is guide], problems


def of_operator(text: str) -> tuple[Guide | None, list[Problem]]:
    """What the operator of this server says, to the agents of every repository."""
    problems = list[Problem]()
    told = _bounded(OPERATORS, text, problems)
    return (Guide(OPERATORS, told) if told else None), problems


def _everywhere(files: Mapping[str, str], problems: list[Problem]) -> Iterator[Guide]:
    """`copilot-instructions.md`, the scoped ones, and those at the root."""
    if REPOSITORY_WIDE in files:
        yield Guide(REPOSITORY_WIDE, _bounded(REPOSITORY_WIDE, files[REPOSITORY_WIDE], problems))
    for path in sorted(files):
        if path.startswith(SCOPED_DIRECTORY) and path.endswith(SCOPED_SUFFIX):
            yield from _scoped(parse(path, files[path]), problems)
    for path in ROOT_FILES:
        if path in files:
            yield Guide(path, _bounded(path, files[path], problems))


def _nested(files: Mapping[str, str], problems: list[Problem]) -> Iterator[Guide]:
    """`AGENTS.md` below the root, those further up first: the nearest has the last word."""
    nested = [path for path in files if path.endswith(f"/{AGENTS}")]
    for path in sorted(nested, key=lambda path: (path.count("/"), path)):
        # A directory may be named like a pattern; [x] matches exactly x.
        directory = "".join(f"[{c}]" if c in "*?[" else c for c in posixpath.dirname(path))
        yield Guide(path, _bounded(path, files[path], problems), (f"{directory}/**",))


def _scoped(document: Document, problems: list[Problem]) -> Iterator[Guide]:
    problems += document.problems
    for key in document.keys.keys() - KEYS:
        problems.append(document.problem(key, f"unknown key {key!r} is ignored"))
    if document.problems or _excluded(document, problems):
        return
    apply_to = _texts(document.keys.get("applyTo"))
    if apply_to is None:
        what = "applyTo must be a text or a list of texts; the file is not used"
        problems.append(document.problem("applyTo", what))
        return
    wanted = [pattern for value in apply_to for pattern in globs.patterns(value)]
    if not wanted:
        what = 'no applyTo says for which paths, such as applyTo: "**/*.py"; the file is not used'
        problems.append(Problem(document.path, what, 1))
        return
    text = _bounded(document.path, document.body, problems)
    scope = () if any(map(globs.everywhere, wanted)) else tuple(wanted)
    yield Guide(document.path, text, scope)


def _excluded(document: Document, problems: list[Problem]) -> bool:
    names = _texts(document.keys.get("excludeAgent"))
    if names is None:
        what = "excludeAgent must be a text or a list of texts; it is ignored"
        problems.append(document.problem("excludeAgent", what))
        return False
    given = {name.strip() for value in names for name in value.split(",")} - {""}
    for name in sorted(given - THIS_AGENT - OTHER_AGENTS):
        what = f"excludeAgent knows coding-agent, cloud-agent and code-review, not {name!r}"
        problems.append(document.problem("excludeAgent", what))
    return bool(given & THIS_AGENT)


def _texts(value: Any) -> list[str] | None:
    """None for what is neither a text nor a list of texts; absent is an empty list."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(item, str) for item in values) else None


def _bounded(path: str, text: str, problems: list[Problem]) -> str:
    text = clean(text).strip()
    if len(text) <= GUIDE_CHARS:
        return text
    left = len(text) - GUIDE_CHARS
    problems.append(Problem(path, f"only the first {GUIDE_CHARS} characters are used"))
    return text[:GUIDE_CHARS] + f"\n[… {left} more characters left out]"
