"""Who did what, and how they came in: the entries of the audit log.

The names of actions and fields are those of GitHub's audit log where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from journeyman.domain.principals import TokenKind
from journeyman.domain.repositories import Account


class Surface(StrEnum):
    """Where an action came from."""

    API = "api"
    WEB = "web"
    GIT = "git"
    """A push over HTTP."""
    CLI = "cli"
    """The operator, at the machine."""
    WORKER = "worker"
    FORGE = "forge"
    """On another forge: a mention, an assignment, a label."""


@dataclass(frozen=True)
class Author:
    """Who acts. Without an account: the operator, an app, or the server itself."""

    surface: Surface
    account: Account | None = None
    token_id: int | None = None
    token_kind: TokenKind | None = None
    address: str | None = None
    request_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """More about who it is: the app, the operator's user id."""


SERVER = Author(Surface.WORKER)


class Action(StrEnum):
    TASK_CREATE = "task.create"
    TASK_STEER = "task.steer"
    TASK_CANCEL = "task.cancel"
    TASK_PAUSE = "task.pause"
    TASK_ARCHIVE = "task.archive"
    TASK_UNARCHIVE = "task.unarchive"
    TRIGGER_IGNORE = "trigger.ignore"
    PULL_CREATE = "pull_request.create"
    PULL_MERGE = "pull_request.merge"
    PULL_CLOSE = "pull_request.close"
    PULL_REOPEN = "pull_request.reopen"
    REVIEW_SUBMIT = "pull_request_review.submit"
    COMMENT_CREATE = "pull_request_review_comment.create"
    COMMENT_DELETE = "pull_request_review_comment.delete"
    GIT_PUSH = "git.push"
    TEMPLATE_CREATE = "agent_template.create"
    TEMPLATE_UPDATE = "agent_template.update"
    TEMPLATE_REMOVE = "agent_template.remove"
    SECRET_CREATE = "agent_secret.create"  # noqa: S105 - a word, not a password
    SECRET_UPDATE = "agent_secret.update"  # noqa: S105
    SECRET_REMOVE = "agent_secret.remove"  # noqa: S105
    VARIABLE_CREATE = "agent_variable.create"
    VARIABLE_UPDATE = "agent_variable.update"
    VARIABLE_REMOVE = "agent_variable.remove"
    CONFIGURATION_UPDATE = "agent_configuration.update"
    HOOK_CREATE = "hook.create"
    HOOK_UPDATE = "hook.update"
    HOOK_DESTROY = "hook.destroy"
    HOOK_PING = "hook.ping"
    HOOK_REDELIVER = "hook.redeliver"
    REPO_CREATE = "repo.create"
    REPO_RENAME = "repo.rename"
    REPO_ADD_MEMBER = "repo.add_member"
    REPO_REMOVE_MEMBER = "repo.remove_member"
    USER_CREATE = "user.create"
    USER_LOGIN = "user.login"
    USER_FAILED_LOGIN = "user.failed_login"
    USER_LOGOUT = "user.logout"
    USER_CHANGE_PASSWORD = "user.change_password"  # noqa: S105
    USER_CREATE_LINK = "user.create_login_link"
    TOKEN_CREATE = "personal_access_token.create"  # noqa: S105
    TOKEN_REVOKE = "personal_access_token.revoke"  # noqa: S105
    OAUTH_ACCESS_CREATE = "oauth_access.create"
    OAUTH_ACCESS_DESTROY = "oauth_access.destroy"
    OAUTH_AUTHORIZATION_CREATE = "oauth_authorization.create"
    OAUTH_AUTHORIZATION_DESTROY = "oauth_authorization.destroy"
    INSTALLATION_TOKEN_CREATE = "integration_installation.create_token"  # noqa: S105
    USER_SUSPEND = "user.suspend"
    USER_UNSUSPEND = "user.unsuspend"
    APP_RENEW_SECRET = "oauth_application.generate_client_secret"  # noqa: S105
    APP_CREATE = "oauth_application.create"
    APP_DESTROY = "oauth_application.destroy"


@dataclass(frozen=True)
class Entry:
    """What was done. Names are those of then: what they belong to may be gone or renamed."""

    id: int
    created_at: datetime
    action: str
    surface: Surface
    actor_id: int | None
    actor: str | None
    token_id: int | None
    token_kind: TokenKind | None
    address: str | None
    request_id: str | None
    repository_id: int | None
    repository: str | None
    organization_id: int | None
    organization: str | None
    user_id: int | None
    """Whom it was done to."""
    user: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class AuditQuery:
    """Newest first unless *ascending*; None and empty: everything."""

    per_page: int = 30
    after: int | None = None
    """Go on behind the entry with this id."""
    ascending: bool = False
    repository_id: int | None = None
    actions: frozenset[str] = frozenset()
    """`task.create`, or `task` for all that begin so."""
    actors: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
