"""Skills: how a repository's maintainers do certain things, told to the agent when it asks.

The format is that of agentskills.io: a folder with a `SKILL.md`. Knows nothing of git or of tools.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeyman.agent.customisation.documents import Document, Problem, parse
from journeyman.agent.text import clean

DIRECTORIES = (".github/skills", ".claude/skills", ".agents/skills")
"""The earlier one wins."""
FILE = "SKILL.md"
KEYS = frozenset(
    {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    # of other agents, harmless here
    | {"argument-hint", "disable-model-invocation", "user-invocable", "model", "version"}
)
SKILL_CHARS = 30_000
NAME_CHARS = 64
DESCRIPTION_CHARS = 1024
MOST_SKILLS = 100
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Skill:
    name: str
    description: str
    path: str
    text: str

    @property
    def directory(self) -> str:
        """Where its scripts and other files are, from the repository's root."""
        return posixpath.dirname(self.path)


def read(files: Mapping[str, str]) -> tuple[list[Skill], list[Problem]]:
    """By name; what cannot be used is told."""
    found, problems = dict[str, Skill](), list[Problem]()
    for path in _paths(files):
        document = parse(path, files[path])
        problems += [*document.problems, *_problems(document)]
        skill = _skill(document, problems)
        if skill is None:
            continue
        if skill.name in found:
            what = f"{found[skill.name].path} has the same name; this one is not used"
            problems.append(Problem(path, what))
        elif len(found) == MOST_SKILLS:
            problems.append(Problem(path, f"more than {MOST_SKILLS} skills; not used"))
        else:
            found[skill.name] = skill
    return sorted(found.values(), key=lambda skill: skill.name), problems


def find(skills: Sequence[Skill], name: str) -> Skill | None:
    return next((skill for skill in skills if skill.name == name.strip().lower()), None)


def _paths(files: Mapping[str, str]) -> Iterator[str]:
    for directory in DIRECTORIES:
        for path in sorted(files):
            if posixpath.basename(path) == FILE and _above(path) == directory:
                yield path


def _above(path: str) -> str:
    return posixpath.dirname(posixpath.dirname(path))


def _skill(document: Document, problems: list[Problem]) -> Skill | None:
    folder = posixpath.basename(posixpath.dirname(document.path))
    name = _text(document.keys.get("name")).lower()
    description = _text(document.keys.get("description"))
    if not description or not name:
        missing = "description" if name else "name"
        what = f"{missing} is missing; the skill is not used"
        problems.append(Problem(document.path, what, 1))
        return None
    if len(name) > NAME_CHARS or not _NAME.fullmatch(name):
        what = f"{name!r} is not a name of small letters, digits and hyphens; it is not used"
        problems.append(document.problem("name", what))
        return None
    if name != folder.lower():
        problems.append(document.problem("name", f"the folder is named {folder!r}, not {name!r}"))
    text = clean(document.body).strip()
    if len(text) > SKILL_CHARS:
        what = f"only the first {SKILL_CHARS} characters are used"
        problems.append(Problem(document.path, what))
        text = f"{text[:SKILL_CHARS]}\n[… {len(text) - SKILL_CHARS} more characters left out]"
    return Skill(name, description[:DESCRIPTION_CHARS], document.path, text)


def _problems(document: Document) -> Iterator[Problem]:
    for key in document.keys.keys() - KEYS:
        yield document.problem(key, f"unknown key {key!r} is ignored")


def _text(value: Any) -> str:
    return clean(" ".join(value.split())) if isinstance(value, str) else ""
