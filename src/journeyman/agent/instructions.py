"""What the agent is told before the user speaks: its own rules, and the repository's.

Knows nothing of git, and nothing of where the repository keeps its instructions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import NOTHING, Customisation
from journeyman.sandbox import WORKSPACE

SCOPED_LISTED = 50


@dataclass(frozen=True)
class Briefing:
    """What differs from session to session."""

    repository: str
    branch: str
    base_ref: str
    base_sha: str
    network: str = "There is no network."
    """One sentence: what can be reached."""
    can_ask: bool = False
    setup: str = ""
    """What came of the repository's setup steps; empty when it has none."""
    begun_anew: bool = False
    """The branch that the task had pushed is gone: the files are those of `base_ref`."""
    refused: str = ""
    """Why the push of the last session was refused, with whose work this one begins."""
    is_part: bool = False
    """For a sub-agent: another agent reports, and reads its last message."""


def system_prompt(
    briefing: Briefing, found: Customisation = NOTHING, profile: Profile | None = None
) -> str:
    """The system prompt; *found*: what the repository's base commit says to agents."""
    return _rendered(
        "system",
        briefing=briefing,
        workspace=WORKSPACE,
        operators=found.operators,
        general=found.general,
        scoped=found.scoped[:SCOPED_LISTED],
        skills=found.skills,
        profile=profile,
        lfs=found.lfs,
        submodules=found.submodules,
    )


def external_prompt(briefing: Briefing, found: Customisation = NOTHING) -> str:
    """What an agent of others is told before its task; it has its own system prompt."""
    return _rendered(
        "external",
        briefing=briefing,
        workspace=WORKSPACE,
        operators=found.operators,
        general=found.general,
        lfs=found.lfs,
        submodules=found.submodules,
    )


@functools.cache
def templates() -> Environment:
    """To be read once: a service outlives an upgrade of its files."""
    folder = resources.files("journeyman.agent") / "prompts"
    texts = {one.name: one.read_text("utf-8") for one in folder.iterdir()}
    # Markdown for a model, not HTML for a browser
    return Environment(
        loader=DictLoader(texts),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
    )


def _rendered(name: str, **values: Any) -> str:
    return templates().get_template(f"{name}.md.j2").render(**values).strip() + "\n"
