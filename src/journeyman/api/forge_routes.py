"""The routes of a repository that are about its code: pull requests, branches, commits.

Knows nothing of what a route does.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from journeyman.api.auth import Gate
from journeyman.api.history import History
from journeyman.api.pulls import Pulls
from journeyman.api.routing import route
from journeyman.service import Services

REPOSITORY = "/repos/{owner}/{repo}"


def of_pulls(gate: Gate, services: Services) -> list[BaseRoute]:
    pulls, pull = Pulls(services), f"{REPOSITORY}/pulls/{{pull_number}}"
    read, write, merge = "pull_requests=read", "pull_requests=write", "contents=write"
    return [
        route(
            f"{REPOSITORY}/pulls",
            GET=gate.signed(pulls.list, needs=read),
            POST=gate.signed(pulls.create, needs=write, writes=True),
        ),
        route(
            pull,
            GET=gate.signed(pulls.get, needs=read),
            PATCH=gate.signed(pulls.update, needs=write),
        ),
        route(f"{pull}/files", GET=gate.signed(pulls.files, needs=read)),
        route(f"{pull}/commits", GET=gate.signed(pulls.commits, needs=read)),
        route(
            f"{pull}/merge",
            GET=gate.signed(pulls.merged, needs="contents=read"),
            PUT=gate.signed(pulls.merge, needs=merge),
        ),
    ]


def of_code(gate: Gate, services: Services) -> list[BaseRoute]:
    """The name of a branch may have slashes."""
    history, read = History(services), "contents=read"
    return [
        route(f"{REPOSITORY}/branches", GET=gate.signed(history.branches, needs=read)),
        route(
            f"{REPOSITORY}/branches/{{branch:path}}", GET=gate.signed(history.branch, needs=read)
        ),
        route(f"{REPOSITORY}/git/ref/{{ref:path}}", GET=gate.signed(history.ref, needs=read)),
        route(f"{REPOSITORY}/git/refs", GET=gate.signed(history.refs, needs=read)),
        route(
            f"{REPOSITORY}/git/matching-refs/{{ref:path}}",
            GET=gate.signed(history.refs, needs=read),
        ),
        route(f"{REPOSITORY}/commits/{{ref:path}}", GET=gate.signed(history.commit, needs=read)),
    ]
