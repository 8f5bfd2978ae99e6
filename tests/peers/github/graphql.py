"""The few mutations of GitHub's GraphQL API that have no REST."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import Response

from tests.peers.github.objects import as_json
from tests.peers.github.state import Pull, Repository, State, Token

MUTATIONS = {"markPullRequestReadyForReview": False, "convertPullRequestToDraft": True}
"""By name: whether the pull request is a draft then."""


def answer(state: State, token: Token | None, body: bytes) -> Response:
    if token is None:
        return Response(as_json({"message": "Bad credentials"}), 401)
    asked = json.loads(body)
    found = re.search("|".join(MUTATIONS), asked["query"])
    if found is None:
        return _failed("NOT_SUPPORTED", "Only two mutations are spoken here")
    repository, pull = _pull(state, asked["variables"]["id"])
    if pull is None or repository is None:
        return _failed("NOT_FOUND", "Could not resolve to a node")
    draft = MUTATIONS[found[0]]
    if draft and not repository.drafts:
        return _failed("UNPROCESSABLE", "Draft pull requests are not supported")
    if not repository.allows(token.user, "write"):
        return _failed("FORBIDDEN", "Resource not accessible")
    pull.draft = draft
    return _said({"data": {found[0]: {"pullRequest": {"isDraft": draft}}}})


def _pull(state: State, node_id: str) -> tuple[Repository | None, Pull | None]:
    for repository in state.repositories:
        for pull in repository.pulls:
            if f"PR_{pull.id}" == node_id:
                return repository, pull
    return None, None


def _failed(kind: str, message: str) -> Response:
    return _said({"data": None, "errors": [{"type": kind, "message": message}]})


def _said(found: dict[str, Any]) -> Response:
    return Response(as_json(found), 200, {"content-type": "application/json"})
