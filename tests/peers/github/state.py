"""What is on the local GitHub: accounts with tokens, repositories with git data, pull requests and
the rest that people write. Tests change it as people would on the site."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from journeyman.forge.embedded import tokens
from tests.integration.forge.client import git

LEVELS = ("none", "read", "triage", "write", "maintain", "admin")
MADE = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass
class User:
    id: int
    login: str
    type: str = "User"
    suspended: bool = False


@dataclass
class Token:
    user: User
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    revoked: bool = False

    @property
    def good(self) -> bool:
        return not self.revoked and (self.expires_at is None or self.expires_at > now())


@dataclass
class Pull:
    id: int
    number: int
    user: User
    title: str
    body: str
    head: str
    base: str
    draft: bool
    state: str = "open"
    merged: bool = False
    mergeable: bool | None = True
    from_fork: bool = False
    fork: str = ""
    """Whose fork the head is in; empty: in the repository itself."""
    reviewers: list[User] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    created_at: datetime = field(default_factory=lambda: now())


@dataclass
class Issue:
    number: int
    user: User
    title: str
    body: str
    association: str = "NONE"
    labels: tuple[str, ...] = ()
    assignees: list[User] = field(default_factory=list)
    created_at: datetime = field(default_factory=lambda: now())


@dataclass
class Comment:
    id: int
    number: int
    user: User
    body: str
    association: str = "NONE"
    path: str = ""
    line: int | None = None
    review_id: int = 77
    created_at: datetime = field(default_factory=lambda: now())
    edited_at: datetime | None = None


@dataclass
class Review:
    id: int
    number: int
    user: User
    body: str
    state: str = "COMMENTED"
    submitted_at: datetime = field(default_factory=lambda: now())
    updated_at: datetime | None = None
    """Gitea's, which has in the other one when it was begun."""


@dataclass
class IssueEvent:
    """*given*: the login of who was assigned, or the label."""

    id: int
    issue: Issue
    actor: User
    event: str
    given: str
    created_at: datetime = field(default_factory=lambda: now())


@dataclass
class CheckRun:
    id: int
    sha: str
    name: str
    conclusion: str | None
    summary: str = ""


@dataclass
class Repository:
    id: int
    owner: User
    name: str
    bare: Path
    private: bool = True
    archived: bool = False
    default_branch: str = "main"
    drafts: bool = True
    """Whether pull requests may be drafts: not in every plan's private repositories."""
    protected: tuple[str, ...] = ()
    """Branches that nobody may push to."""
    refusal: str = ""
    """What is said of them; empty: that they are protected."""
    roles: dict[int, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    review_comments: list[Comment] = field(default_factory=list)
    reactions: list[tuple[str, int, str]] = field(default_factory=list)
    check_runs: list[CheckRun] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    events: list[IssueEvent] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def role(self, user: User | None) -> str:
        if user is not None and user.id == self.owner.id:
            return "admin"
        granted = self.roles.get(user.id, "none") if user else "none"
        return "read" if granted == "none" and not self.private else granted

    def allows(self, user: User | None, level: str) -> bool:
        return LEVELS.index(self.role(user)) >= LEVELS.index(level)

    def tip(self, branch: str) -> str | None:
        ref = f"refs/heads/{branch}"
        listed = git(self.bare, "for-each-ref", "--format=%(refname) %(objectname)", ref)
        return dict(line.split() for line in listed.splitlines()).get(ref)

    def next_number(self) -> int:
        return 1 + len(self.pulls) + len(self.issues)


class State:
    """Repositories are kept below *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.users: list[User] = []
        self.tokens: dict[str, Token] = {}
        self.repositories: list[Repository] = []
        self.former: dict[str, int] = {}
        """Repositories by the names they had, in small letters."""
        self._ids = itertools.count(583_231)

    def new_id(self) -> int:
        return next(self._ids)

    def add_user(self, login: str, kind: str = "User") -> User:
        made = User(self.new_id(), login, kind)
        self.users.append(made)
        return made

    def user(self, login: str) -> User:
        return next(one for one in self.users if one.login.lower() == login.lower())

    def add_token(
        self,
        login: str,
        prefix: str = "ghp_",
        *,
        scopes: tuple[str, ...] = ("repo",),
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        text = tokens.mint(prefix)
        expires_at = now() + expires_in if expires_in is not None else None
        self.tokens[text] = Token(self.user(login), scopes, expires_at, revoked)
        return text

    def add_repository(self, full_name: str, source: Path, **more: object) -> Repository:
        owner, _, name = full_name.partition("/")
        id = self.new_id()
        bare = self.directory / f"{id}.git"
        git(source, "clone", "-q", "--bare", str(source), str(bare))
        git(bare, "config", "http.receivepack", "true")
        made = Repository(id, self.user(owner), name, bare, **more)  # type: ignore[arg-type]
        self.repositories.append(made)
        return made

    def branch(self, repository: Repository, name: str, at: str) -> None:
        """As somebody's push would."""
        git(repository.bare, "update-ref", f"refs/heads/{name}", at)

    def rename(self, repository: Repository, owner: User, name: str) -> None:
        self.former[repository.full_name.lower()] = repository.id
        repository.owner, repository.name = owner, name

    def find(self, full_name: str) -> Repository | None:
        wanted = full_name.lower()
        return next((r for r in self.repositories if r.full_name.lower() == wanted), None)

    def by_id(self, id: int) -> Repository | None:
        return next((r for r in self.repositories if r.id == id), None)

    def bearer(self, header: str) -> Token | None:
        """Who a request's Authorization header speaks for."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        found = self.tokens.get(value.strip())
        return found if found is not None and found.good else None


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
