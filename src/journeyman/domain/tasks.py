"""A task: what a user asked for in one repository, and what is asked when it is made."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from journeyman.domain.artifacts import Artifact
from journeyman.domain.errors import invalid
from journeyman.domain.limits import NONE_GIVEN, Limits
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Session

PROMPT_LIMIT = 100_000
"""Characters. GitHub does not publish its own limit."""
NAME_LIMIT = 80
SLUG_LIMIT = 40


@dataclass(frozen=True)
class NewTask:
    """The body of `POST /agents/repos/{owner}/{repo}/tasks`, checked for shape only."""

    prompt: str
    model: str | None = None
    custom_agent: str | None = None
    create_pull_request: bool = False
    base_ref: str | None = None
    head_ref: str | None = None
    limits: Limits = NONE_GIVEN
    """Where something is given it is in place of the server's own."""
    urgent: bool = False

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise invalid("prompt", "prompt is empty; say what is to be done.", "missing_field")
        if len(self.prompt) > PROMPT_LIMIT:
            raise invalid(
                "prompt",
                f"prompt has {len(self.prompt)} characters; the most is {PROMPT_LIMIT}. "
                "Put long material into a file of the repository and name it.",
            )


@dataclass(frozen=True)
class Task:
    """A task with its newest session; its state is that session's."""

    id: str
    repository: Repository
    creator_id: int
    name: str
    custom_agent: str | None
    session: Session
    session_count: int
    artifacts: tuple[Artifact, ...]
    version: int
    """Grows with every change that a reader could see; the ETag is made of it."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def name_of(prompt: str) -> str:
    """A task's name: the first line of the prompt that says something, shortened at a word."""
    lines = (line.strip().lstrip("#>*- ").strip() for line in prompt.splitlines())
    first = next((line for line in lines if line and not line.startswith(("```", "~~~"))), "Task")
    return first if len(first) <= NAME_LIMIT else first[: NAME_LIMIT - 1].rsplit(" ", 1)[0] + "…"


def branch_for(name: str, session_id: str) -> str:
    """`journeyman/<slug>-<short id>`: readable, valid as a ref, and never taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LIMIT].rstrip("-")
    return f"journeyman/{slug or 'task'}-{session_id[:8]}"


def branch_name(ref: str) -> str:
    """A branch's short name; both `main` and `refs/heads/main` are accepted on the wire."""
    return ref.removeprefix("refs/heads/")
