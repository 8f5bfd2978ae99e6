"""The route table, and the application around it: served at `/` and at `/api/v3`.

Knows nothing of what a route does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp

from journeyman.api import (
    accounts,
    agent_routes,
    docs,
    forge_routes,
    gh_routes,
    passed,
    root,
    routing,
)
from journeyman.api.applications import Applications
from journeyman.api.auth import Gate
from journeyman.api.errors import Boundary
from journeyman.api.events import Events
from journeyman.api.extensions import Extensions
from journeyman.api.forge_hook import ForgeHook
from journeyman.api.headers import Headers
from journeyman.api.ratelimit import Limits
from journeyman.api.repositories import Repositories
from journeyman.api.routing import route
from journeyman.api.tasks import Tasks
from journeyman.api.usage import Usage
from journeyman.api.versions import Versions
from journeyman.service import Services

READ = "agent_tasks=read"
WRITE = "agent_tasks=write"


@dataclass(frozen=True)
class Options:
    public_url: str = ""
    """What addresses in answers start with. Empty: the Host header of each request."""
    forge_url: str = ""
    """Where users, repositories and pull requests are. Empty: here."""
    forge_secret: str = field(default="", repr=False)
    """What that forge signs its webhooks with. Empty: none are taken."""
    heartbeat_seconds: float = 15.0
    """How often an idle stream sends a comment, so that nothing between takes it for dead."""


async def _always_ready() -> bool:
    return True


def build_app(
    services: Services,
    options: Options | None = None,
    *,
    limits: Limits | None = None,
    ready: root.Ready = _always_ready,
    stopping: asyncio.Event | None = None,
) -> ASGIApp:
    """*ready* answers `/readyz`; open streams end once *stopping* is set."""
    options = options or Options()
    routes = table(services, options, limits=limits, ready=ready, stopping=stopping)
    nowhere = routing.Nowhere(options.forge_url)
    router = Router(routes, redirect_slashes=False, default=nowhere)
    return Headers(Boundary(Versions(router)), public_url=options.public_url)


def table(
    services: Services,
    options: Options,
    *,
    limits: Limits | None = None,
    ready: root.Ready = _always_ready,
    stopping: asyncio.Event | None = None,
) -> list[BaseRoute]:
    """All that is served, in the order in which it is matched: what is asked for most comes
    first."""
    gate = Gate(services.identity, limits or Limits())
    events = Events(
        services,
        heartbeat_seconds=options.heartbeat_seconds,
        stopping=stopping or asyncio.Event(),
    )
    upstream = services.upstream
    return [
        *(passed.of_upstream(gate, upstream) if upstream else _answered(gate, services)),
        *_github(gate, services),
        *_own(gate, ready),
        *_extensions(gate, services, events),
        *([] if options.forge_url else _embedded(gate, services)),
        *agent_routes.of_agent(gate, services),
        *_told(services, options.forge_secret),
        *gh_routes.of_gh(gate, services),
    ]


def _embedded(gate: Gate, services: Services) -> list[BaseRoute]:
    """What only Journeyman's own forge can answer."""
    return [
        *_apps(services),
        *forge_routes.of_pulls(gate, services),
        *forge_routes.of_code(gate, services),
    ]


def _told(services: Services, secret: str) -> list[BaseRoute]:
    """What another forge tells is signed, and needs no token."""
    hook = ForgeHook(services.triggers, secret)
    return [route("/hooks/forge", POST=hook.receive)] if secret else []


def _own(gate: Gate, ready: root.Ready) -> list[BaseRoute]:
    return [
        route("/", GET=gate.open(root.index)),
        route("/meta", GET=gate.open(root.meta)),
        route("/versions", GET=gate.open(root.supported_versions)),
        route("/zen", GET=gate.open(root.zen)),
        route("/rate_limit", GET=gate.open(root.rate_limit, counted=False)),
        route("/openapi.json", GET=gate.open(docs.openapi)),
        route("/docs", GET=docs.page("docs.html")),
        *(route(f"/docs/{name}", GET=docs.page(name)) for name in ("viewer.css", "viewer.js")),
        route("/healthz", GET=root.healthz),
        route("/readyz", GET=root.readyz(ready)),
    ]


def _answered(gate: Gate, services: Services) -> list[BaseRoute]:
    """From what every forge tells."""
    repositories = Repositories(services)
    return [
        route("/user", GET=gate.signed(accounts.own)),
        route("/repos/{owner}/{repo}", GET=gate.signed(repositories.get, needs="metadata=read")),
    ]


def _github(gate: Gate, services: Services) -> list[BaseRoute]:
    tasks = Tasks(services)
    return [
        route(
            "/agents/repos/{owner}/{repo}/tasks",
            GET=gate.signed(tasks.list_for_repository, needs=READ),
            POST=gate.signed(tasks.create, needs=WRITE, writes=True),
        ),
        route(
            "/agents/repos/{owner}/{repo}/tasks/{task_id}",
            GET=gate.signed(tasks.get_in_repository, needs=READ),
        ),
        route("/agents/tasks", GET=gate.signed(tasks.list_own, needs=READ)),
        route("/agents/tasks/{task_id}", GET=gate.signed(tasks.get, needs=READ)),
    ]


def _apps(services: Services) -> list[BaseRoute]:
    """Apps name themselves with Basic, not with a user's token."""
    apps, app = Applications(services.apps), "/applications/{client_id}"
    return [
        route(f"{app}/token", POST=apps.check, PATCH=apps.reset, DELETE=apps.revoke),
        route(f"{app}/grant", DELETE=apps.revoke_grant),
        route("/credentials/revoke", POST=apps.revoke_credentials),
    ]


def _extensions(gate: Gate, services: Services, events: Events) -> list[BaseRoute]:
    more, task = Extensions(services), "/agents/tasks/{task_id}"
    usage = Usage(services)
    repository = "/agents/repos/{owner}/{repo}"
    return [
        route(f"{task}/events", GET=gate.signed(events.list, needs=READ)),
        route(f"{task}/patch", GET=gate.signed(more.patch, needs=READ)),
        route(f"{task}/cancel", POST=gate.signed(more.cancel, needs=WRITE)),
        route(f"{task}/steer", POST=gate.signed(more.steer, needs=WRITE, writes=True)),
        *(
            route(f"{place}/{verb}", POST=gate.signed(endpoint, needs=WRITE))
            for place in (task, f"{repository}/tasks/{{task_id}}")
            for verb, endpoint in (
                ("pause", more.pause),
                ("archive", more.archive),
                ("unarchive", more.unarchive),
            )
        ),
        route(
            f"{repository}/tasks/{{task_id}}/pulls",
            POST=gate.signed(more.propose, needs=WRITE, writes=True),
        ),
        route(f"{repository}/custom-agents", GET=gate.signed(more.custom_agents, needs=READ)),
        route("/agents/models", GET=gate.signed(more.models, needs=READ)),
        route("/agents/task-ids", GET=gate.signed(more.task_ids, needs=READ)),
        route("/agents/usage", GET=gate.signed(usage.of_all, needs=READ)),
        route(f"{repository}/usage", GET=gate.signed(usage.of_repository, needs=READ)),
    ]
