"""`/repos/{owner}/{repo}/copilot/cloud-agent/configuration`: GitHub's GET, and a PUT of our own.

Knows nothing of what the settings do.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, responses
from journeyman.domain.configuration import AgentConfiguration, EnabledTools
from journeyman.domain.principals import Principal
from journeyman.forge import Access
from journeyman.service import Services


class Tools(msgspec.Struct):
    codeql: bool = True
    copilot_code_review: bool = True
    secret_scanning: bool = True
    dependency_vulnerability_checks: bool = True


class PutConfiguration(msgspec.Struct):
    """What is left out gets its default: a PUT sets the whole."""

    mcp_configuration: dict[str, Any] | None = None
    enabled_tools: Tools = msgspec.field(default_factory=Tools)
    require_actions_workflow_approval: bool = True
    is_firewall_enabled: bool = True
    is_firewall_recommended_allowlist_enabled: bool = True
    custom_allowlist: list[str] = msgspec.field(default_factory=list)
    is_automations_enabled: bool = True
    require_write_access_for_automation_triggers: bool = True


class Configuration:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def get(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        return responses.as_json(asdict(await self._services.configurations.get(access)))

    async def put(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        asked = msgspec.structs.asdict(await body.read(request, PutConfiguration))
        tools = EnabledTools(**msgspec.structs.asdict(asked.pop("enabled_tools")))
        entries = tuple(asked.pop("custom_allowlist"))
        new = AgentConfiguration(enabled_tools=tools, custom_allowlist=entries, **asked)
        await self._services.configurations.put(access, new)
        return responses.as_json(asdict(await self._services.configurations.get(access)))

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)
