"""The routes of a repository's agent beside its tasks: secrets, variables, configuration, webhooks,
the audit log.

Knows nothing of what a route does.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from journeyman.api.audit import AuditLog
from journeyman.api.auth import Gate
from journeyman.api.configuration import Configuration
from journeyman.api.hooks import Hooks
from journeyman.api.routing import route
from journeyman.api.secrets import Secrets, Values, Variables
from journeyman.service import Services

REPOSITORY = "/repos/{owner}/{repo}"
ORGANIZATION = "/orgs/{org}"


def of_agent(gate: Gate, services: Services) -> list[BaseRoute]:
    secrets, variables = Secrets(services), Variables(services)
    return [
        *_secrets(gate, secrets, REPOSITORY, "agent_secrets"),
        *_secrets(gate, secrets, ORGANIZATION, "organization_agent_secrets"),
        *_variables(gate, variables, REPOSITORY, "agent_variables"),
        *_variables(gate, variables, ORGANIZATION, "organization_agent_variables"),
        *_selections(gate, secrets, "secrets", "organization_agent_secrets"),
        *_selections(gate, variables, "variables", "organization_agent_variables"),
        *_of_repository(gate, services, secrets, variables),
        *_hooks(gate, Hooks(services)),
        route(
            f"{REPOSITORY}/agents/audit-log",
            GET=gate.signed(AuditLog(services).list, needs="administration=read"),
        ),
    ]


def _secrets(gate: Gate, secrets: Secrets, owner: str, permission: str) -> list[BaseRoute]:
    several, read, write = f"{owner}/agents/secrets", f"{permission}=read", f"{permission}=write"
    return [
        route(several, GET=gate.signed(secrets.list, needs=read)),
        route(f"{several}/public-key", GET=gate.signed(secrets.public_key, needs=read)),
        route(
            f"{several}/{{name}}",
            GET=gate.signed(secrets.get, needs=read),
            PUT=gate.signed(secrets.put, needs=write),
            DELETE=gate.signed(secrets.delete, needs=write),
        ),
    ]


def _variables(gate: Gate, variables: Variables, owner: str, permission: str) -> list[BaseRoute]:
    several, read, write = f"{owner}/agents/variables", f"{permission}=read", f"{permission}=write"
    return [
        route(
            several,
            GET=gate.signed(variables.list, needs=read),
            POST=gate.signed(variables.create, needs=write),
        ),
        route(
            f"{several}/{{name}}",
            GET=gate.signed(variables.get, needs=read),
            PATCH=gate.signed(variables.update, needs=write),
            DELETE=gate.signed(variables.delete, needs=write),
        ),
    ]


def _selections(gate: Gate, values: Values, kind: str, permission: str) -> list[BaseRoute]:
    selected, write = f"{ORGANIZATION}/agents/{kind}/{{name}}/repositories", f"{permission}=write"
    return [
        route(
            selected,
            GET=gate.signed(values.list_selected, needs=f"{permission}=read"),
            PUT=gate.signed(values.select, needs=write),
        ),
        route(
            f"{selected}/{{repository_id}}",
            PUT=gate.signed(values.select_one, needs=write),
            DELETE=gate.signed(values.deselect_one, needs=write),
        ),
    ]


def _hooks(gate: Gate, hooks: Hooks) -> list[BaseRoute]:
    several, read, write = (
        f"{REPOSITORY}/agents/hooks",
        "repository_hooks=read",
        "repository_hooks=write",
    )
    one, deliveries = f"{several}/{{hook_id}}", f"{several}/{{hook_id}}/deliveries"
    return [
        route(
            several,
            GET=gate.signed(hooks.list, needs=read),
            POST=gate.signed(hooks.create, needs=write),
        ),
        route(
            one,
            GET=gate.signed(hooks.get, needs=read),
            PATCH=gate.signed(hooks.update, needs=write),
            DELETE=gate.signed(hooks.delete, needs=write),
        ),
        route(f"{one}/pings", POST=gate.signed(hooks.ping, needs=write)),
        route(deliveries, GET=gate.signed(hooks.list_deliveries, needs=read)),
        route(f"{deliveries}/{{delivery_id}}", GET=gate.signed(hooks.get_delivery, needs=read)),
        route(
            f"{deliveries}/{{delivery_id}}/attempts",
            POST=gate.signed(hooks.redeliver, needs=write),
        ),
    ]


def _of_repository(
    gate: Gate, services: Services, secrets: Secrets, variables: Variables
) -> list[BaseRoute]:
    configuration = Configuration(services)
    shared = f"{REPOSITORY}/agents/organization"
    return [
        route(
            f"{shared}-secrets", GET=gate.signed(secrets.list_shared, needs="agent_secrets=read")
        ),
        route(
            f"{shared}-variables",
            GET=gate.signed(variables.list_shared, needs="agent_variables=read"),
        ),
        route(
            f"{REPOSITORY}/copilot/cloud-agent/configuration",
            GET=gate.signed(configuration.get, needs="administration=read"),
            PUT=gate.signed(configuration.put, needs="administration=write"),
        ),
    ]
