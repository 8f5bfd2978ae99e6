"""What happens on the forge and starts work: how it is told, and with whose token it is done."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from journeyman.config.forges import Forge
from journeyman.domain.errors import invalid
from journeyman.domain.triggers import Rules

Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class Triggers:
    token: str = field(default="", repr=False)
    """Of Journeyman's own user on the forge; empty: nothing there starts work."""
    secret: str = field(default="", repr=False)
    """What the forge signs its webhooks with; empty: none are taken."""
    name: str = "journeyman"
    """Mentioned as `@name`: the login of Journeyman's own user."""
    label: str = ""
    """An issue that is given it; empty: none."""
    repairs: Count = 0
    """Sessions that begin by themselves on a task's pull request: failed checks, conflicts."""
    poll_seconds: Count = 0
    """How often the forge is asked what has happened; 0: never."""
    repositories: tuple[str, ...] = ()
    """Asked about beside those that have tasks: OWNER/NAME."""

    @property
    def rules(self) -> Rules:
        return Rules(name=self.name, label=self.label, repairs=self.repairs)


def check(triggers: Triggers, forge: Forge) -> None:
    """INVALID says which key is wrong, and why."""
    for key in ("token", "secret", "poll_seconds"):
        if not getattr(triggers, key):
            continue
        if forge.kind not in ("github", "gitea"):
            raise _wrong(key, "only a forge with issues has something to tell; set forge.url")
        if not triggers.token:
            raise _wrong("token", f"triggers.{key} needs the token of a user to work with")
    if not re.fullmatch(r"[\w.-]+(\[bot\])?", triggers.name):
        raise _wrong("name", f"{triggers.name!r} is no login; leave out the @")
    for name in triggers.repositories:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
            raise _wrong("repositories", f"{name!r} is not OWNER/NAME")


def _wrong(key: str, said: str) -> Exception:
    return invalid(f"triggers.{key}", f"triggers.{key}: {said}.", "invalid")
