"""Accounts, repositories and pull requests, as every forge has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class AccountType(StrEnum):
    USER = "User"
    ORGANIZATION = "Organization"


@dataclass(frozen=True)
class Account:
    id: int
    login: str
    type: AccountType
    site_admin: bool
    created_at: datetime
    suspended_at: datetime | None = None
    """Since when it may neither log in nor use a token."""


class Permission(IntEnum):
    """What an account may do with a repository; each includes those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True)
class Repository:
    id: int
    owner: Account
    name: str
    default_branch: str
    private: bool
    archived: bool
    created_at: datetime
    updated_at: datetime

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True)
class PullEnd:
    """How a pull request ended. Its commits are told by id: branches go on or go away."""

    at: datetime
    head_sha: str
    base_sha: str
    merged_by_id: int | None = None
    merge_sha: str | None = None


@dataclass(frozen=True)
class Pull:
    id: int
    number: int
    repository_id: int
    user_id: int
    title: str
    body: str
    head_ref: str
    base_ref: str
    draft: bool
    state: PullState
    created_at: datetime
    updated_at: datetime
    end: PullEnd | None = None
    """None while it is open."""
    merging: PullEnd | None = None
    """A merge that has begun: it counts once the base branch has its commit."""
