"""What a repository's administrators set for the agent. The defaults are GitHub's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class EnabledTools:
    """Checks of the agent's work before it is delivered."""

    codeql: bool = True
    copilot_code_review: bool = True
    secret_scanning: bool = True
    dependency_vulnerability_checks: bool = True


@dataclass(frozen=True)
class AgentConfiguration:
    mcp_configuration: Mapping[str, Any] | None = None
    enabled_tools: EnabledTools = field(default_factory=EnabledTools)
    require_actions_workflow_approval: bool = True
    is_firewall_enabled: bool = True
    is_firewall_recommended_allowlist_enabled: bool = True
    custom_allowlist: tuple[str, ...] = ()
    """Hosts and addresses that a session may reach beside the recommended ones."""
    is_automations_enabled: bool = True
    require_write_access_for_automation_triggers: bool = True
