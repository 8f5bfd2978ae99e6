"""The routes that GitHub's own CLI needs beside REST: GraphQL, and the API behind `gh agent-task`.

Knows nothing of what a route does.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from journeyman.api.auth import Gate
from journeyman.api.graphql import GraphQL
from journeyman.api.jobs import Jobs
from journeyman.api.routing import route
from journeyman.service import Services

JOBS = "/agents/swe/v1/jobs/{owner}/{repo}"
SESSION = "/agents/sessions/{session_id}"


def of_gh(gate: Gate, services: Services) -> list[BaseRoute]:
    graphql, jobs = GraphQL(services), Jobs(services)
    read, write = "agent_tasks=read", "agent_tasks=write"
    return [
        route("/graphql", POST=gate.signed(graphql.query)),
        route("/api/graphql", POST=gate.signed(graphql.query)),
        route(JOBS, POST=gate.signed(jobs.create, needs=write, writes=True)),
        route(f"{JOBS}/{{job_id}}", GET=gate.signed(jobs.get, needs=read)),
        route("/agents/sessions", GET=gate.signed(jobs.list, needs=read)),
        route(SESSION, GET=gate.signed(jobs.session, needs=read)),
        route(f"{SESSION}/logs", GET=gate.signed(jobs.logs, needs=read)),
        route("/agents/resource/pull/{resource_id}", GET=gate.signed(jobs.of_pull, needs=read)),
    ]
