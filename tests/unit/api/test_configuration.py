"""`/repos/{owner}/{repo}/copilot/cloud-agent/configuration`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.api.conftest import World

TARGET = "/repos/octo/hello/copilot/cloud-agent/configuration"
DEFAULTS: dict[str, Any] = {
    "mcp_configuration": None,
    "enabled_tools": {
        "codeql": True,
        "copilot_code_review": True,
        "secret_scanning": True,
        "dependency_vulnerability_checks": True,
    },
    "require_actions_workflow_approval": True,
    "is_firewall_enabled": True,
    "is_firewall_recommended_allowlist_enabled": True,
    "custom_allowlist": [],
    "is_automations_enabled": True,
    "require_write_access_for_automation_triggers": True,
}


async def test_the_defaults_are_githubs(alice: httpx.AsyncClient) -> None:
    assert (await alice.get(TARGET)).json() == DEFAULTS


async def test_a_put_sets_the_whole(world: World, alice: httpx.AsyncClient) -> None:
    root = world.client("root")
    new = {
        "mcp_configuration": {"mcpServers": {"x": {"command": "y"}}},
        "enabled_tools": {"codeql": False},
        "custom_allowlist": ["example.com", "https://example.org/path", "*.internal:8443"],
    }
    answer = await root.put(TARGET, json=new)
    wanted = {**DEFAULTS, **new, "enabled_tools": {**DEFAULTS["enabled_tools"], "codeql": False}}
    assert answer.json() == wanted
    assert (await alice.get(TARGET)).json() == wanted
    assert (await root.put(TARGET, json={})).json() == DEFAULTS


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"custom_allowlist": ["a b"]}, "custom_allowlist"),
        ({"custom_allowlist": "a"}, "custom_allowlist"),
        ({"custom_allowlist": [1]}, "custom_allowlist"),
        ({"is_firewall_enabled": "no"}, "is_firewall_enabled"),
        ({"enabled_tools": {"codeql": 1}}, "enabled_tools.codeql"),
        ({"mcp_configuration": []}, "mcp_configuration"),
        ({"mcp_configuration": {"servers": {}}}, "mcp_configuration"),
        ({"mcp_configuration": {"mcpServers": {"x": {"type": "y"}}}}, "mcp_configuration"),
    ],
)
async def test_a_bad_value_names_its_field(world: World, body: dict[str, Any], field: str) -> None:
    response = await world.client("root").put(TARGET, json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


async def test_administrators_set_and_writers_see_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    assert (await alice.put(TARGET, json={})).status_code == 403
    assert (await bob.get(TARGET)).status_code == 403
    assert (await mallory.get(TARGET)).status_code == 404
