"""Where repositories, users and pull requests live: the contract of every forge.

Knows nothing of tasks or the agent. Implementations live beside this file and are named in `app`
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Permission, Pull, Repository


class ForgeError(Exception):
    """The forge could not do what was asked. *permanent*: trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class PushRejected(ForgeError):
    """The forge took the connection and refused the ref: protected, moved meanwhile, too large."""


@dataclass(frozen=True)
class Access:
    """A repository as a principal sees it."""

    repository: Repository
    permission: Permission


@dataclass(frozen=True)
class Remote:
    """Where host git fetches from and pushes to.

    *env* carries a one-shot credential (GIT_CONFIG_COUNT …): it is never in an argument, on disk,
    or in a sandbox.
    """

    url: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    writable: bool = True
    """False when the forge already knows that it would refuse a push."""


@dataclass(frozen=True)
class NewPull:
    title: str
    body: str
    head_ref: str
    base_ref: str
    draft: bool = True


@dataclass(frozen=True)
class PullChange:
    """What to change on a pull request; None leaves it as it is."""

    title: str | None = None
    body: str | None = None
    draft: bool | None = None


class Forge(Protocol):
    name: str

    async def identify(self, token: str) -> Principal:
        """Raises AppError: UNAUTHENTICATED for a token that is unknown, expired or revoked,
        FORBIDDEN for an installation token (told by its prefix alone).
        """
        ...

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        """The repository (its name in any case), or None when it is missing or the principal may
        not see it.
        """
        ...

    async def find_tip(self, actor: Actor, repository: Repository, branch: str) -> str | None:
        """The commit id at the end of *branch*, or None.

        A repository without any commit has no tips.
        """
        ...

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        """For git on the host, acting for *actor*."""
        ...

    async def find_pull(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> Pull | None:
        """The open pull request from *head_ref* to *base_ref*."""
        ...

    async def open_pull(self, actor: Actor, repository: Repository, new: NewPull) -> Pull:
        """Open it, or give back the open one between the same branches: a repeated call opens no
        second.
        """
        ...

    async def was_closed(self, actor: Actor, repository: Repository, number: int) -> bool:
        """Whether somebody closed the pull request without merging it."""
        ...

    async def update_pull(
        self, actor: Actor, repository: Repository, number: int, change: PullChange
    ) -> Pull: ...
