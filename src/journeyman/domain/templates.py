"""A prompt that is kept for a repository, to be written once and used often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from journeyman.domain.errors import invalid
from journeyman.domain.tasks import PROMPT_LIMIT

NAME_LIMIT = 80
MOST = 50
"""Of one repository."""


@dataclass(frozen=True)
class NewTemplate:
    name: str
    prompt: str

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > NAME_LIMIT:
            message = f"A template's name has between 1 and {NAME_LIMIT} characters."
            raise invalid("template_name", message)
        if not self.prompt.strip() or len(self.prompt) > PROMPT_LIMIT:
            raise invalid("prompt", "Write the prompt that the template is to keep.")


@dataclass(frozen=True)
class Template:
    id: int
    name: str
    prompt: str
    updated_at: datetime
