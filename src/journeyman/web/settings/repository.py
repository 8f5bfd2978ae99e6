"""The settings of a repository: how the agent works on it, its secrets and variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.configuration import AgentConfiguration, EnabledTools
from journeyman.domain.errors import AppError, invalid
from journeyman.domain.repositories import Permission
from journeyman.domain.secrets import MCP_PREFIX, Kind, Sharing
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.service.secrets import MOST
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings import values
from journeyman.web.settings.filled import Filled

AGENT_FIELDS = frozenset({"mcp_configuration", "custom_allowlist"})
SWITCHES = (
    "is_firewall_enabled",
    "is_firewall_recommended_allowlist_enabled",
    "require_actions_workflow_approval",
    "is_automations_enabled",
    "require_write_access_for_automation_triggers",
)
SAID = frozenset({"saved", "removed"})


class OfRepository:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def _access(self, request: Request, visit: Visit) -> Access:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)

    # --- How the agent works ---------------------------------------------------------------------

    async def agent(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        known = await self._services.configurations.get(access)
        return self._agent_form(request, visit, access, Filled(_as_sent(known)))

    async def set_agent(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        sent = await self._desk.form(request, visit, limit=values.LARGEST_FORM)
        try:
            await self._services.configurations.put(access, _configuration(sent))
        except AppError as error:
            filled = Filled(sent, error, AGENT_FIELDS)
            return self._agent_form(request, visit, access, filled)
        return render.redirect(f"{addresses.settings(access.repository)}?said=saved")

    def _agent_form(
        self, request: Request, visit: Visit, access: Access, filled: Filled
    ) -> Response:
        return self._desk.page(
            "settings/agent.html",
            visit,
            status=filled.status,
            form=filled,
            access=access,
            repository=access.repository,
            writable=access.permission >= Permission.ADMIN,
            tools=asdict(EnabledTools()),
            said=_said(request),
        )

    # --- Secrets and variables -------------------------------------------------------------------

    async def values(self, request: Request, visit: Visit) -> Response:
        return await self._values(request, visit, await self._access(request, visit), Filled())

    async def add_value(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        sent = await self._desk.form(request, visit, limit=values.LARGEST_FORM)
        try:
            place = self._services.secrets.place(access, values.kind_of(sent))
            await values.put(self._services.secrets, place, sent, Sharing())
        except AppError as error:
            return await self._values(request, visit, access, Filled(sent, error, values.FIELDS))
        return render.redirect(addresses.settings(access.repository, "/secrets?said=saved"))

    async def remove_value(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        await self._desk.form(request, visit)
        place = self._services.secrets.place(access, values.kind_in(request.path_params))
        await self._services.secrets.remove(place, request.path_params["name"])
        return render.redirect(addresses.settings(access.repository, "/secrets?said=removed"))

    async def _values(
        self, request: Request, visit: Visit, access: Access, filled: Filled
    ) -> Response:
        secrets = self._services.secrets
        kept = await values.kept(secrets, {kind: secrets.place(access, kind) for kind in Kind})
        shared = {kind: (await secrets.list_shared(access, kind, 1, MOST))[0] for kind in Kind}
        return self._desk.page(
            "settings/secrets.html",
            visit,
            status=filled.status,
            form=filled,
            access=access,
            repository=access.repository,
            kept=kept,
            shared=shared,
            reveal=secrets.reveal,
            mcp_prefix=MCP_PREFIX,
            said=_said(request),
        )


def _as_sent(known: AgentConfiguration) -> Mapping[str, str]:
    """As the form would send it."""
    mcp = known.mcp_configuration
    return {
        **{name: "1" for name in SWITCHES if getattr(known, name)},
        **{f"tool-{name}": "1" for name, on in asdict(known.enabled_tools).items() if on},
        "mcp_configuration": "" if mcp is None else json.dumps(mcp, indent=2, ensure_ascii=False),
        "custom_allowlist": "\n".join(known.custom_allowlist),
    }


def _configuration(sent: Mapping[str, str]) -> AgentConfiguration:
    tools = {name: bool(sent.get(f"tool-{name}")) for name in asdict(EnabledTools())}
    return AgentConfiguration(
        mcp_configuration=_mcp(sent.get("mcp_configuration", "")),
        enabled_tools=EnabledTools(**tools),
        custom_allowlist=tuple(sent.get("custom_allowlist", "").split()),
        **{name: bool(sent.get(name)) for name in SWITCHES},
    )


def _mcp(text: str) -> Mapping[str, Any] | None:
    if not text.strip():
        return None
    try:
        known = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"It is not JSON: {error}."
        raise invalid("mcp_configuration", message, "invalid") from error
    if not isinstance(known, dict):
        raise invalid("mcp_configuration", "It is not a JSON object: {…}.", "invalid")
    return known


def _said(request: Request) -> str:
    said = request.query_params.get("said", "")
    return said if said in SAID else ""
