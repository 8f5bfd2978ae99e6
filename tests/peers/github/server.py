"""GitHub on a local socket, as a GitHub Enterprise Server has it: the site with git at `/`, the
REST API at `/api/v3`, GraphQL at `/api/graphql`.

Every request and every answer is held against the published description; what does not fit is in
`problems`. `faults` are injected before anything else is looked at.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tests.peers.faulty import Faulty, listening
from tests.peers.github import graphql, rest, smart_http
from tests.peers.github.description import Description
from tests.peers.github.oauth import AUTHORIZE, TOKEN, WebFlow
from tests.peers.github.objects import Objects, as_json
from tests.peers.github.rest import Problem
from tests.peers.github.state import State, Token

API = "/api/v3"


class GitHub(Faulty):
    def __init__(self, description: Description, state: State) -> None:
        super().__init__()
        self.description = description
        self.state = state
        self.unchanged = 0
        """Answers of 304."""
        self.app = WebFlow()
        self.while_git_asks: Callable[[], None] = lambda: None
        """Called while somebody's git waits for an answer."""

    async def answer(self, request: Request, path: str, body: bytes) -> Response:
        if path == AUTHORIZE:
            return self.app.authorize(request)
        if path == TOKEN:
            return self.app.token(self.state, body)
        token = self.state.bearer(request.headers.get("authorization", ""))
        if path == "/api/graphql":
            return graphql.answer(self.state, token, body)
        if path.startswith(f"{API}/"):
            return self._rest(request, token, path.removeprefix(API), body)
        return await self._git(request, token, path)

    def _rest(self, request: Request, token: Token | None, path: str, body: bytes) -> Response:
        path, moved = self._present(path)
        if moved:
            headers = {"location": f"{self.url}{API}{moved}"}
            status = 301 if request.method == "GET" else 307
            return Response(as_json({"message": "Moved Permanently"}), status, headers)
        asked = (request.method, path, request.url.query, body)
        self.problems += self.description.faults_of_request(*asked)
        objects = Objects(self.description, f"{self.url}{API}")
        try:
            if token is None:
                raise Problem(401, "Bad credentials")
            status, found = rest.answer(rest.Asked(self.state, objects, token, *asked))
        except Problem as problem:
            status, found = problem.status, problem.body()
        content = as_json(found) if found is not None else b""
        self.problems += self.description.faults_of_answer(request.method, path, status, content)
        etag = f'W/"{hashlib.sha256(content).hexdigest()}"'
        if status == 200 and request.headers.get("if-none-match") == etag:
            self.unchanged += 1
            return Response(b"", 304, {"etag": etag})
        headers = {"content-type": "application/json; charset=utf-8", **_told(token)}
        headers |= {"etag": etag} if status == 200 else {}
        return Response(content, status, headers)

    def _present(self, path: str) -> tuple[str, str]:
        """The path by the repository's present name; and where a former name leads to."""
        if match := re.match(r"/repositories/(\d+)(/.*)?$", path):
            known = self.state.by_id(int(match[1]))
            return f"/repos/{known.full_name}{match[2] or ''}" if known else path, ""
        match = re.match(r"/repos/([^/]+/[^/]+)(/.*)?$", path)
        if match and self.state.find(match[1]) is None and match[1].lower() in self.state.former:
            return path, f"/repositories/{self.state.former[match[1].lower()]}{match[2] or ''}"
        return path, ""

    async def _git(self, request: Request, token: Token | None, path: str) -> Response:
        match = re.fullmatch(r"/([^/]+/[^/]+)\.git(/.*)", path)
        repository = self.state.find(match[1]) if match else None
        if match is None or repository is None:
            return Response("Not Found", 404)
        writes = "git-receive-pack" in path + request.url.query
        if token is None:
            return Response("", 401, {"www-authenticate": 'Basic realm="GitHub"'})
        if not repository.allows(token.user, "read"):
            return Response("Repository not found.", 404)
        if writes and repository.archived:
            return Response("This repository was archived so it is read-only.", 403)
        if writes and not repository.allows(token.user, "write"):
            denied = f"Permission to {repository.full_name}.git denied to {token.user.login}."
            return Response(denied, 403)
        self.while_git_asks()
        refusal = repository.refusal or smart_http.GITHUB
        return await smart_http.serve(request, repository, token.user, match[2], refusal)


def _told(token: Token | None) -> dict[str, str]:
    told = {"x-ratelimit-remaining": "4999", "x-ratelimit-limit": "5000"}
    if token is not None and token.scopes:
        told["x-oauth-scopes"] = ", ".join(token.scopes)
    if token is not None and token.expires_at is not None:
        at = token.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        told["github-authentication-token-expiration"] = at
    return told


@asynccontextmanager
async def serving(description: Description, directory: Path) -> AsyncIterator[GitHub]:
    directory.mkdir(parents=True, exist_ok=True)
    made = GitHub(description, State(directory))
    async with listening(made):
        yield made
