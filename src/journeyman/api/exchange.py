"""What is known of one request while it is answered.

Middleware and handlers share it through the scope. Knows nothing of routes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import quote

from starlette.types import Scope

from journeyman.api.ratelimit import Window
from journeyman.domain.audit import Author, Surface
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Repository

KEY = "journeyman.exchange"
PREFIX = "/api/v3"
HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


quoted = lru_cache(1024)(quote)
"""Of names that every task of a page repeats."""


def new_request_id() -> str:
    """In GitHub's shape: five groups of hexadecimal digits."""
    digits = secrets.token_hex(16).upper()
    return f"{digits[:4]}:{digits[4:10]}:{digits[10:17]}:{digits[17:24]}:{digits[24:]}"


@dataclass(slots=True)
class Exchange:
    head: bool = False
    """A HEAD request: routed as GET, answered without a body."""
    public_url: str = ""
    """As configured; empty: the Host header counts."""
    api_version: str | None = None
    needs: str | None = None
    """The permission the route asks of a fine-grained token, as `agent_tasks=read`."""
    principal: Principal | None = None
    window: Window | None = None
    request_id: str = field(default_factory=new_request_id)


def of(scope: Scope) -> Exchange:
    exchange: Exchange = scope[KEY]
    return exchange


def author_of(scope: Scope, principal: Principal | None = None) -> Author:
    """Who asks, for the audit log. Without a principal: an app, or whoever holds a token."""
    by = Author(Surface.API, address=address_of(scope), request_id=of(scope).request_id)
    if principal is None:
        return by
    return replace(
        by, account=principal.account, token_id=principal.token_id, token_kind=principal.kind
    )


def address_of(scope: Scope) -> str | None:
    """Where the request came from, as far as the server knows."""
    client = scope.get("client")
    return str(client[0]) if client else None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Absolute addresses as the caller can reach them: clients follow them verbatim."""

    api: str
    """With the prefix that the caller used, without a slash at the end."""
    web: str

    def repository(self, repository: Repository) -> str:
        return f"{self.api}/repos/{quoted(repository.full_name)}"

    def page(self, repository: Repository) -> str:
        return f"{self.web}/{quoted(repository.full_name)}"

    def pull_page(self, repository: Repository, number: int) -> str:
        return f"{self.page(repository)}/pull/{number}"

    def task(self, repository: Repository, task_id: str) -> str:
        return f"{self.api}/agents/repos/{quoted(repository.full_name)}/tasks/{task_id}"

    def task_page(self, repository: Repository, task_id: str) -> str:
        """Clients read owner and name from the first two parts of the path."""
        return f"{self.web}/{quoted(repository.full_name)}/agents/tasks/{task_id}"


def host_of(scope: Scope) -> str:
    """The Host header where it is well formed, else the address that was listened on."""
    for name, value in scope["headers"]:
        if name == b"host" and HOST.fullmatch(text := value.decode("latin-1")):
            return str(text)
    host, port = scope.get("server") or ("localhost", None)
    return f"{host}:{port}" if port else str(host)


def addresses_of(scope: Scope) -> Addresses:
    prefix, public_url = quote(scope.get("root_path", "")), of(scope).public_url
    if public_url:
        return Addresses(api=public_url + prefix, web=public_url)
    scheme, host = scope["scheme"], host_of(scope)
    return Addresses(
        api=f"{scheme}://{host}{prefix}", web=f"{scheme}://{host.removeprefix('api.')}"
    )
