"""What the agent is told before the user speaks: its own rules, and the repository's.

Knows nothing of git, and nothing of where the repository keeps its instructions.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined

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
    is_part: bool = False
    """For a sub-agent: another agent reports, and reads its last message."""


def system_prompt(
    briefing: Briefing, found: Customisation = NOTHING, profile: Profile | None = None
) -> str:
    """The system prompt; *found*: what the repository's base commit says to agents."""
    source = resources.files("journeyman.agent").joinpath("prompts/system.md.j2").read_text("utf-8")
    # Markdown for a model, not HTML for a browser
    environment = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701
    rendered = environment.from_string(source).render(
        briefing=briefing,
        workspace=WORKSPACE,
        general=found.general,
        scoped=found.scoped[:SCOPED_LISTED],
        skills=found.skills,
        profile=profile,
    )
    return rendered.strip() + "\n"
