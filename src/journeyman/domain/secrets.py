"""The secrets and variables that the agent is given, of a repository or of an organization."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from journeyman.domain.errors import invalid

NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,254}")
RESERVED = "GITHUB_"
VALUE_LIMIT = 48 * 1024
"""Bytes, as GitHub has it."""
MCP_PREFIX = "COPILOT_MCP_"
"""What is named so is for MCP servers, not for the agent's own commands."""


class Kind(StrEnum):
    SECRET = "secret"  # noqa: S105 - a word, not a password
    VARIABLE = "variable"


class Visibility(StrEnum):
    """Which repositories of an organization get it."""

    ALL = "all"
    PRIVATE = "private"
    SELECTED = "selected"


@dataclass(frozen=True)
class Place:
    """Where it belongs: to one repository or to one organization."""

    kind: Kind
    repository_id: int | None = None
    organization_id: int | None = None


@dataclass(frozen=True)
class Value:
    """*sealed*: as it is stored; only `service` can open it."""

    id: int
    kind: Kind
    name: str
    sealed: bytes
    visibility: Visibility | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Sharing:
    """Which repositories of an organization get a value; None leaves it as it is."""

    visibility: Visibility | None = None
    repository_ids: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if self.repository_ids and self.visibility not in (None, Visibility.SELECTED):
            raise invalid(
                "selected_repository_ids",
                f"Repositories are selected only where visibility is 'selected', "
                f"not {self.visibility!s}.",
                "invalid",
            )


def checked_name(text: str) -> str:
    """In capitals, as it will be in the environment; INVALID when it cannot be."""
    name = text.upper()
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise invalid(
            "name",
            f"{text[:100]!r} is not a name: letters, digits and _, no digit first, "
            f"and not beginning with {RESERVED}.",
            "invalid",
        )
    return name


def checked_value(value: bytes) -> bytes:
    """What a process's environment can hold."""
    if len(value) > VALUE_LIMIT:
        raise invalid("value", f"It has {len(value)} bytes; the most is {VALUE_LIMIT}.", "invalid")
    if b"\0" in value:
        raise invalid("value", "It has a NUL character; leave it out.", "invalid")
    try:
        value.decode()
    except UnicodeDecodeError:
        raise invalid("value", "It is not UTF-8 text; encode it, as Base64.", "invalid") from None
    return value
