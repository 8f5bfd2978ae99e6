"""One's own settings: personal access tokens, and the apps that may act for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, invalid
from journeyman.domain.oauth import PERMISSIONS, READ_ONLY, SCOPES
from journeyman.domain.principals import Token
from journeyman.domain.repositories import Permission
from journeyman.service import Services
from journeyman.service.personal_tokens import Wish
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings.filled import Filled
from journeyman.web.viewer import principal_of

TOKENS = f"{addresses.SETTINGS}/tokens"
APPLICATIONS = f"{addresses.SETTINGS}/applications"
LASTS = ("7", "30", "90", "366", "")
"""Days that a token can last; empty: until it is revoked."""
FIELDS = frozenset({"note", "days", "scopes", "permissions", "repositories"})
SCOPE, PERMISSION, REPOSITORY = "scope-", "permission-", "repository-"
"""What the names of fields begin with that are there many times."""


class Own:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def start(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        return render.redirect(TOKENS)

    # --- Personal access tokens ------------------------------------------------------------------

    async def tokens(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        made = await self._services.personal_tokens.list_of(account)
        revoked = request.query_params.get("said") == "revoked"
        return self._page("settings/tokens.html", visit, tokens=made, revoked=revoked)

    async def new_token(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        begun = Filled({"days": "30", f"{SCOPE}repo": "1", "reach": "all"})
        return await self._token_form(request, visit, begun)

    async def create_token(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        sent = await self._desk.form(request, visit)
        try:
            secret, token = await self._create(request, visit, sent)
        except AppError as error:
            return await self._token_form(request, visit, Filled(sent, error, FIELDS))
        return self._page("settings/token_made.html", visit, secret=secret, token=token)

    async def _create(
        self, request: Request, visit: Visit, sent: Mapping[str, str]
    ) -> tuple[str, Token]:
        account = self._desk.account(request, visit)
        wish = Wish(sent.get("note", ""), _days(sent.get("days", "")))
        tokens = self._services.personal_tokens
        if not _fine_grained(request):
            return await tokens.create_classic(account, wish, _chosen(sent, SCOPE))
        permissions = {name: sent[PERMISSION + name] for name in _chosen(sent, PERMISSION)}
        reach = None if sent.get("reach") == "all" else _chosen(sent, REPOSITORY)
        return await tokens.create_fine_grained(principal_of(account), wish, permissions, reach)

    async def _token_form(self, request: Request, visit: Visit, filled: Filled) -> Response:
        principal = await self._desk.principal(request, visit)
        return self._page(
            "settings/token_new.html",
            visit,
            status=filled.status,
            form=filled,
            fine_grained=_fine_grained(request),
            action=request.url.path,
            lasts=LASTS,
            scopes=SCOPES,
            permissions=PERMISSIONS,
            read_only=READ_ONLY,
            repositories=await self._services.browsing.repositories(principal),
        )

    async def revoke_token(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        await self._desk.form(request, visit)
        await self._services.personal_tokens.revoke(account, request.path_params["token_id"])
        return render.redirect(f"{TOKENS}?said=revoked")

    # --- Apps that act for one -------------------------------------------------------------------

    async def applications(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        held = await self._services.authorizations.list_of(account)
        revoked = request.query_params.get("said") == "revoked"
        return self._page("settings/applications.html", visit, held=held, revoked=revoked)

    async def connection(self, request: Request, visit: Visit) -> Response:
        """Where GitHub's clients send people to look at one app."""
        self._desk.account(request, visit)
        return render.redirect(APPLICATIONS)

    async def revoke_application(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        await self._desk.form(request, visit)
        await self._services.authorizations.revoke(account, request.path_params["client_id"])
        return render.redirect(f"{APPLICATIONS}?said=revoked")

    # --- The way to the settings of a repository -------------------------------------------------

    async def repositories(self, request: Request, visit: Visit) -> Response:
        principal = await self._desk.principal(request, visit)
        found = await self._services.browsing.repositories(principal, Permission.WRITE)
        return self._page("settings/repositories.html", visit, found=found)

    def _page(self, template: str, visit: Visit, **values: Any) -> Response:
        return self._desk.page(template, visit, **values)


def _fine_grained(request: Request) -> bool:
    return request.url.path.endswith("-fine-grained")


def _chosen(sent: Mapping[str, str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in sent if name.startswith(prefix) and sent[name]]


def _days(text: str) -> int | None:
    if text and not (text.isdecimal() and len(text) < 6):
        raise invalid("days", f"{text[:20]!r} is not a number of days.", "invalid")
    return int(text) if text else None
