"""Where repositories, users and pull requests live: the contract of every forge.

Knows nothing of tasks or the agent. Implementations live beside this file and are named in `app`
only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from journeyman.domain.discussions import (
    CheckRun,
    Comment,
    Issue,
    Place,
    PullHead,
    Reaction,
    ReviewComment,
)
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Permission, Pull, Repository
from journeyman.domain.triggers import Happening


class ForgeError(Exception):
    """The forge could not do what was asked. *permanent*: trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class PushRejected(ForgeError):
    """The forge took the connection and refused the ref: protected, moved meanwhile, too large."""


class PullRejected(ForgeError):
    """The forge has the branch, and will not have the pull request, or not the change of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class ForgeRefused(ForgeError):
    """The forge has understood and will not: asked again, it would refuse again. *forbidden*: it
    does not let the actor do it, whose token has not the right, or whom a policy stands against."""

    def __init__(self, message: str, *, forbidden: bool = False) -> None:
        super().__init__(message, permanent=True)
        self.forbidden = forbidden


class CredentialRefused(ForgeError):
    """The forge does not take the actor's token any more: it has expired, or was revoked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True)
class Access:
    """A repository as a principal sees it."""

    repository: Repository
    permission: Permission

    @property
    def is_writable(self) -> bool:
        return self.permission >= Permission.WRITE and not self.repository.archived


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
    """A forge that has none, or a repository that may have none, opens it without."""
    assignee: str = ""
    """The login of who is to look after it; a forge without assignees leaves it out."""


@dataclass(frozen=True)
class PullChange:
    """What to change on a pull request; None leaves it as it is."""

    title: str | None = None
    body: str | None = None
    draft: bool | None = None


class Discussion(Protocol):
    """Issues and pull requests as the places where people talk. AppError NOT_FOUND for what is not
    there; reads go through all pages up to a bound that the implementation states.
    """

    async def issue(self, actor: Actor, repository: Repository, number: int) -> Issue:
        """An issue, or a pull request as one."""
        ...

    async def pull_head(self, actor: Actor, repository: Repository, number: int) -> PullHead:
        """Between which branches a pull request is. NOT_FOUND also for an issue."""
        ...

    async def comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[Comment]:
        """The conversation of an issue or a pull request, oldest first."""
        ...

    async def review_comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[ReviewComment]:
        """Those on lines of a pull request, oldest first."""
        ...

    async def comment(
        self, actor: Actor, repository: Repository, number: int, body: str
    ) -> Comment: ...

    async def react(
        self, actor: Actor, repository: Repository, place: Place, id: int, reaction: Reaction
    ) -> None:
        """Once, however often it is called."""
        ...

    async def permission_of(self, actor: Actor, repository: Repository, login: str) -> Permission:
        """What somebody else may do there: NONE for who is unknown."""
        ...


class Checks(Protocol):
    """What continuous integration says of a commit."""

    async def check_runs(
        self, actor: Actor, repository: Repository, sha: str
    ) -> Sequence[CheckRun]: ...


class News(Protocol):
    """What has happened lately, for who cannot receive webhooks."""

    async def news(
        self, actor: Actor, repository: Repository, cursor: str | None
    ) -> tuple[Sequence[Happening], str]:
        """What has happened since *cursor* was given, oldest first, and the next cursor; from now
        on without one. The same may be told twice. Where nothing has happened it costs nothing of
        a rate limit, as far as the forge tells that by an ETag. NOT_FOUND where there is nothing to
        ask about."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a forge's own API has answered, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Passing(Protocol):
    """A forge whose API is GitHub's: what Journeyman does not answer itself is asked of it."""

    async def get(self, principal: Principal, path: str, query: str, accept: str) -> Answer:
        """*path* as GitHub's clients write it, below no prefix. Links in the answer's headers have
        the form `{api}/…`, with these very braces for where the API is."""
        ...


class SignIn(Protocol):
    """Logging people in on the web with their accounts there: OAuth's code flow with PKCE."""

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Where the browser goes to agree; *challenge* is the S256 of a verifier (RFC 7636)."""
        ...

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> str:
        """A token of the user's for what the browser came back with. UNAUTHENTICATED when the
        forge does not take it."""
        ...


class Listing(Protocol):
    """A forge that tells which repositories somebody has."""

    async def repositories(self, principal: Principal) -> Sequence[Access]:
        """Those that *principal* owns, works on or belongs to; asked at most twice a minute."""
        ...


class Texts(Protocol):
    """Text files of a repository, read without a clone."""

    async def below(
        self, actor: Actor, repository: Repository, ref: str, directory: str
    ) -> Mapping[str, str]:
        """By path: those of one directory, without links, what is too big and what is further
        down; none where there is no such directory or ref."""
        ...


class Forge(Protocol):
    """What every forge does, a plain git remote too. What only some do are the properties: None
    where this one does not."""

    name: str
    """embedded, github, …"""
    url: str
    """Where people look at it, without a slash at the end; empty for the embedded one."""
    noreply: str
    """The domain of the e-mail addresses `<id>+<login>@…` by which it knows its accounts."""
    pull_path: str
    """What is between repository and number in the address of a pull request's page."""

    @property
    def discussion(self) -> Discussion | None: ...

    @property
    def checks(self) -> Checks | None: ...

    @property
    def news(self) -> News | None: ...

    @property
    def passing(self) -> Passing | None: ...

    @property
    def listing(self) -> Listing | None: ...

    @property
    def sign_in(self) -> SignIn | None: ...

    @property
    def texts(self) -> Texts | None: ...

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
    ) -> Pull:
        """AppError NOT_FOUND when there is none of that number."""
        ...
