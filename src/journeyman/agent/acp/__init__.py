"""Agents of others, over the Agent Client Protocol: they think and act, we keep the log.

https://agentclientprotocol.com, version 1, over the standard streams of a program in the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

PREFIX = "acp:"
"""What `custom_agent` begins with when one of these is meant."""


class Permissions(StrEnum):
    """What an agent that asks whether it may do something is told."""

    ALLOW = "allow"
    """Yes: the sandbox bounds it, like every command."""
    ASK = "ask"
    """What the user says."""
    DENY = "deny"


@dataclass(frozen=True)
class External:
    """An agent as the operator has configured it."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For the agent alone; `{url}` and `{model}` stand for where it finds its model, and which."""
    model: str = ""
    """PROVIDER:MODEL, which it reaches through us, without the key; empty: it has its own ways."""
    mode: str = ""
    """One of its modes, by id, set before it begins; empty: its own default."""
    permissions: Permissions = Permissions.ALLOW
    folders: tuple[Path, ...] = ()
    """Of the host, where its program is; to be read at the same place inside."""
    description: str = ""

    @property
    def id(self) -> str:
        return f"{PREFIX}{self.name}"


def named(custom_agent: str | None) -> str | None:
    """The name in `acp:NAME`; None when something else is meant."""
    if custom_agent is None or not custom_agent.lower().startswith(PREFIX):
        return None
    return custom_agent[len(PREFIX) :].strip().lower()
