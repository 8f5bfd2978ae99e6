"""All that is said to the agents of a repository: the texts of one commit, and the operator's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from journeyman.agent.customisation import guides, hooks, profiles, setup, skills
from journeyman.agent.customisation.documents import Problem
from journeyman.agent.customisation.guides import Guide
from journeyman.agent.customisation.hooks import Hook
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.setup import Setup
from journeyman.agent.customisation.skills import Skill

PATHS = (
    r"(^|/)AGENTS\.md$",
    r"^(CLAUDE|GEMINI)\.md$",
    r"^\.github/copilot-instructions\.md$",
    r"^\.github/instructions/.*\.instructions\.md$",
    r"^\.github/agents/[^/]+\.md$",
    r"^\.(github|claude|agents)/skills/[^/]+/SKILL\.md$",
    r"^\.github/hooks/[^/]+\.json$",
    r"^\.github/workflows/copilot-setup-steps\.ya?ml$",
    r"(^|/)\.gitattributes$",
    r"^\.gitmodules$",
)
"""Extended regular expressions: where the files are that are read here."""
GENERAL_CHARS = 48_000
"""What the instructions for all paths may take of a model's window together."""
_LFS = re.compile(r"^[^#\n].*\sfilter=lfs(\s|$)", re.MULTILINE)
_SUBMODULE = re.compile(r"^[ \t]*+path[ \t]*+=[ \t]*+(\S.{0,200}?)[ \t\r]*+$", re.MULTILINE)


@dataclass(frozen=True)
class Customisation:
    operators: Guide | None = None
    """For every repository."""
    general: tuple[Guide, ...] = ()
    """For all paths: they are part of the system prompt."""
    scoped: tuple[Guide, ...] = ()
    """For some paths: each is told when the agent first touches one of them."""
    profiles: tuple[Profile, ...] = ()
    skills: tuple[Skill, ...] = ()
    hooks: tuple[Hook, ...] = ()
    setup: Setup | None = None
    lfs: tuple[str, ...] = ()
    """The attributes files that put others under Git LFS: those are their pointers here."""
    submodules: tuple[str, ...] = ()
    """Where they would be: those directories are empty here."""
    problems: tuple[Problem, ...] = ()

    @property
    def used(self) -> list[str]:
        ours = () if self.operators is None else (self.operators,)
        return [guide.path for guide in (*ours, *self.general, *self.scoped)]


NOTHING = Customisation()


def read(files: Mapping[str, str], problems: Sequence[Problem] = ()) -> Customisation:
    """*problems*: what went wrong before, on the way to *files*."""
    found, wrong = guides.read(files)
    agents, unusable = profiles.read(files)
    ways, unknown = skills.read(files)
    steps, unclear = setup.read(files)
    moments, strange = hooks.read(files)
    general, left_out = _within([guide for guide in found if not guide.globs])
    return Customisation(
        general=tuple(general),
        scoped=tuple(guide for guide in found if guide.globs),
        profiles=tuple(agents),
        skills=tuple(ways),
        hooks=tuple(moments),
        setup=steps,
        lfs=tuple(path for path in files if _has_pointers(path, files[path])),
        submodules=tuple(_SUBMODULE.findall(files.get(".gitmodules", ""))),
        problems=(*problems, *wrong, *left_out, *unusable, *unknown, *unclear, *strange),
    )


def _has_pointers(path: str, text: str) -> bool:
    return path.rpartition("/")[2] == ".gitattributes" and _LFS.search(text) is not None


def _within(found: Sequence[Guide]) -> tuple[list[Guide], list[Problem]]:
    """The last ones that fit: the later ones win."""
    kept, left_out, room = list[Guide](), list[Problem](), GENERAL_CHARS
    for guide in reversed(found):
        room -= len(guide.text)
        if room >= 0:
            kept.insert(0, guide)
        else:
            message = f"not used: the instructions take more than {GENERAL_CHARS} characters"
            left_out.append(Problem(guide.path, message))
    return kept, left_out
