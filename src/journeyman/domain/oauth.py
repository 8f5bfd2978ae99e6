"""Apps that act for users, and how a user lets them. GitHub's words; knows nothing of HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from journeyman.domain.errors import invalid
from journeyman.domain.repositories import Account

JOURNEYMAN_CLIENT_ID = "6a6f75726e65796d616e"
"""The client id of `journeyman login`."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

SCOPES: Mapping[str, str] = {
    "repo": "Read and change your repositories, private ones too, and run agent tasks in them",
    "public_repo": "Read and change your public repositories, and run agent tasks in them",
    "repo:status": "Read and set the status of commits",
    "workflow": "Change workflow files",
    "user": "Read and change your profile",
    "read:user": "Read your profile",
    "user:email": "Read your mail addresses",
    "read:org": "See which organizations you belong to",
    "write:org": "Change which organizations you belong to",
    "admin:org": "Administer your organizations",
    "gist": "Write gists (this server has none)",
    "notifications": "Read your notifications (this server has none)",
    "project": "Read and change projects (this server has none)",
    "read:project": "Read projects (this server has none)",
    "write:packages": "Publish packages (this server has none)",
    "read:packages": "Read packages (this server has none)",
    "delete_repo": "Delete repositories",
    "admin:public_key": "Administer your keys (this server has none)",
    "write:public_key": "Add keys (this server has none)",
    "read:public_key": "Read your keys (this server has none)",
    "admin:repo_hook": "Administer the webhooks of your repositories",
    "codespace": "Use codespaces (this server has none)",
}
"""What a user is told that a scope allows."""

PERMISSIONS: Mapping[str, str] = {
    "agent_tasks": "agent tasks",
    "agent_secrets": "secrets of the agent",
    "agent_variables": "variables of the agent",
    "repository_hooks": "webhooks",
    "organization_agent_secrets": "secrets of the agent in organizations",
    "organization_agent_variables": "variables of the agent in organizations",
    "administration": "settings of repositories",
    "contents": "code and branches",
    "pull_requests": "pull requests",
    "metadata": "names and descriptions of repositories",
}
"""The permissions of fine-grained tokens and GitHub Apps, and what each is about."""
READ_ONLY = frozenset({"metadata"})


class AppKind(StrEnum):
    OAUTH = "oauth"
    """Its tokens (`gho_`) carry scopes and do not expire."""
    GITHUB = "github"
    """Its tokens (`ghu_`) carry the app's permissions, for eight hours at a time."""


@dataclass(frozen=True)
class App:
    client_id: str
    name: str
    kind: AppKind
    secret_digest: bytes | None = field(repr=False)
    """None: a public client, which keeps no secret and so must use PKCE or the device flow."""
    callback_urls: tuple[str, ...]
    device_flow: bool
    permissions: Mapping[str, str]
    created_at: datetime


class DeviceState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    USED = "used"


@dataclass(frozen=True)
class Device:
    """One run of the device flow: a device that waits for its user."""

    digest: bytes = field(repr=False)
    client_id: str
    scopes: tuple[str, ...]
    state: DeviceState
    account: Account | None
    expires_at: datetime
    polled_at: datetime | None


@dataclass(frozen=True)
class Consent:
    """What a user lets an app do, as a code stands for it."""

    client_id: str
    account: Account
    scopes: tuple[str, ...]
    redirect_uri: str
    code_challenge: str | None
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class Refresh:
    token_id: int
    by_device: bool
    """Its token came by the device flow, so the client need not show a secret."""
    expires_at: datetime
    used_at: datetime | None
    follows: int | None = None
    """The token that its own has replaced."""


@dataclass(frozen=True)
class Issued:
    """A token as the client gets it, this once."""

    access_token: str = field(repr=False)
    scopes: tuple[str, ...]
    expires_in: int | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_token_expires_in: int | None = None


@dataclass(frozen=True)
class Started:
    """What a device shows its user, and keeps to itself."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in: int
    interval: int


class Failure(StrEnum):
    """GitHub's errors."""

    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - GitHub's word for an error
    ACCESS_DENIED = "access_denied"
    INCORRECT_DEVICE_CODE = "incorrect_device_code"
    INCORRECT_CLIENT_CREDENTIALS = "incorrect_client_credentials"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    DEVICE_FLOW_DISABLED = "device_flow_disabled"
    BAD_VERIFICATION_CODE = "bad_verification_code"
    REDIRECT_URI_MISMATCH = "redirect_uri_mismatch"
    BAD_REFRESH_TOKEN = "bad_refresh_token"  # noqa: S105 - GitHub's word for an error
    INVALID_REQUEST = "invalid_request"


DESCRIPTIONS: Mapping[Failure, str] = {
    Failure.AUTHORIZATION_PENDING: "The authorization request is still pending.",
    Failure.SLOW_DOWN: "Too many requests have been made in the same timeframe.",
    Failure.EXPIRED_TOKEN: "The device code has expired.",
    Failure.ACCESS_DENIED: "The authorization request was denied.",
    Failure.INCORRECT_DEVICE_CODE: "The device_code provided is not valid.",
    Failure.INCORRECT_CLIENT_CREDENTIALS: (
        "The client_id and/or client_secret passed are incorrect."
    ),
    Failure.UNSUPPORTED_GRANT_TYPE: "The grant type is not supported.",
    Failure.DEVICE_FLOW_DISABLED: "Device Flow must be explicitly enabled for this App",
    Failure.BAD_VERIFICATION_CODE: "The code passed is incorrect or expired.",
    Failure.REDIRECT_URI_MISMATCH: (
        "The redirect_uri MUST match the registered callback URL for this application."
    ),
    Failure.BAD_REFRESH_TOKEN: "The refresh token passed is incorrect or expired.",
    Failure.INVALID_REQUEST: "The request is missing a parameter or has a wrong one.",
}


class Refused(Exception):
    """A client is told no, in GitHub's words. *interval*: seconds to leave between two polls."""

    def __init__(self, failure: Failure, *, interval: int | None = None) -> None:
        super().__init__(DESCRIPTIONS[failure])
        self.failure = failure
        self.interval = interval


def parse_scopes(text: str) -> tuple[str, ...]:
    """Scopes are separated by spaces or commas; unknown ones are left out, as with GitHub."""
    return tuple(sorted({scope for scope in re.split(r"[\s,]+", text) if scope in SCOPES}))


def parse_permissions(texts: Sequence[str]) -> dict[str, str]:
    """From `agent_tasks=write`; INVALID names what is not known. Metadata can always be read."""
    found = {"metadata": "read"}
    for text in texts:
        name, _, level = text.partition("=")
        if name not in PERMISSIONS:
            known = ", ".join(sorted(PERMISSIONS))
            raise invalid("permission", f"There is no permission {name!r}; there is: {known}.")
        if level not in ("read", "write") or (name in READ_ONLY and level != "read"):
            levels = "read" if name in READ_ONLY else "read or write"
            raise invalid("permission", f"{text!r}: write {name}= and then {levels}.")
        found[name] = level
    return found


def check_callback(url: str) -> str:
    """*url*, if an app may register it; INVALID otherwise."""
    parts = _split(url)
    if parts is None or not (parts.netloc or parts.path.strip("/")):
        raise invalid("callback_url", f"{url!r} is not an address that a browser can be sent to.")
    if parts.scheme in ("javascript", "data", "vbscript", "file", "blob", "about"):
        raise invalid("callback_url", f"{url!r} would run in the browser; use https.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise invalid("callback_url", f"{url!r} is not encrypted; use https, or a loopback host.")
    return url


def matches(redirect_uri: str, registered: Sequence[str]) -> bool:
    """Whether a code may be sent there: a registered address, or one below its path.

    The host must be the same one; a loopback host may have any port.
    """
    asked = _split(redirect_uri)
    known = [split for url in registered if (split := _split(url)) is not None]
    return asked is not None and any(_below(asked, one) for one in known)


def _split(url: str) -> SplitResult | None:
    """None for what browsers and `urlsplit` might read differently."""
    if not re.fullmatch(r"[!-~]{1,2000}", url) or set(url) & set("\\<>\"'^`{|}#;,"):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    odd = "@" in parts.netloc or ".." in parts.path.split("/") or "%2e" in parts.path.lower()
    return None if odd or not parts.scheme else parts


def _below(asked: SplitResult, known: SplitResult) -> bool:
    if (asked.scheme, asked.hostname) != (known.scheme, known.hostname):
        return False
    if asked.scheme not in ("http", "https"):
        return asked == known
    if asked.port != known.port and asked.hostname not in LOOPBACK:
        return False
    path, root = asked.path or "/", known.path or "/"
    return path == root or path.startswith(root.rstrip("/") + "/")
