"""What the agent is told before the user speaks: its own rules, and the repository's.

Knows nothing of git: the caller reads the files from the commit that the work starts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined

from journeyman.agent.text import clean
from journeyman.sandbox import WORKSPACE

FILES = (".github/copilot-instructions.md", "AGENTS.md")
"""Where a repository keeps its instructions, the more general first."""
FILE_CHARS = 16_000


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


def system_prompt(briefing: Briefing, files: Mapping[str, str] | None = None) -> str:
    """The system prompt; *files*: instruction files by path, as the base commit has them."""
    source = resources.files("journeyman.agent").joinpath("prompts/system.md.j2").read_text("utf-8")
    # Markdown for a model, not HTML for a browser
    environment = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701
    chosen = [(path, _bounded(files[path])) for path in FILES if files and path in files]
    rendered = environment.from_string(source).render(
        briefing=briefing, workspace=WORKSPACE, files=[(p, t) for p, t in chosen if t]
    )
    return rendered.strip() + "\n"


def _bounded(text: str) -> str:
    text = clean(text).strip()
    if len(text) <= FILE_CHARS:
        return text
    return text[:FILE_CHARS] + f"\n[… {len(text) - FILE_CHARS} more characters left out]"
