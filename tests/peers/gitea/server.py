"""Gitea on a local socket: the site with git at `/`, the API at `/api/v1`.

Every request and every answer is held against what Gitea publishes of its API; what does not fit
is in `problems`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tests.peers.faulty import Faulty, listening
from tests.peers.gitea import rest
from tests.peers.gitea.description import Description
from tests.peers.gitea.rest import Answer, Asked, Problem
from tests.peers.github import smart_http
from tests.peers.github.state import Repository, State, Token, User

API = "/api/v1"
KINDS = {"access": lambda: secrets.token_hex(20), "oauth": lambda: f"eyJ{secrets.token_hex(150)}.x"}
"""Tokens of one's own, and those that OAuth gives out."""
PROTECTED = "Gitea: Not allowed to push to protected branch %s\n"


class Gitea(Faulty):
    def __init__(self, description: Description, state: State) -> None:
        super().__init__()
        self.description = description
        self.state = state

    def add_token(self, login: str, kind: str = "access", *, revoked: bool = False) -> str:
        text = KINDS[kind]()
        self.state.tokens[text] = Token(self.state.user(login), (), revoked=revoked)
        return text

    async def answer(self, request: Request, path: str, body: bytes) -> Response:
        token = self.state.bearer(request.headers.get("authorization", ""))
        if path.startswith(f"{API}/"):
            return self._rest(request, token, path.removeprefix(API), body)
        return await self._git(request, token, path)

    def _rest(self, request: Request, token: Token | None, path: str, body: bytes) -> Response:
        if (present := self._present(path)) != path:
            return Response("", 307, {"location": f"{API}{present}"})
        self.problems += self.description.faults_of_request(
            request.method, path, request.url.query, body
        )
        try:
            if token is None:
                raise Problem(401, "invalid username, password or token")
            asked = Asked(self.state, token.user, request.method, path, request.url.query, body)
            found = rest.answer(asked)
        except Problem as problem:
            docs = f"{self.url}/api/swagger"
            found = Answer(problem.status, {"message": str(problem), "url": docs})
        content = json.dumps(found.content).encode()
        self.problems += self.description.faults_of_answer(
            request.method, path, found.status, content
        )
        headers = {"content-type": "application/json;charset=utf-8"}
        if found.total is not None:
            headers["x-total-count"] = str(found.total)
        return Response(content, found.status, headers)

    def _present(self, path: str) -> str:
        """With the repository's present name; Gitea sends on to it."""
        match = re.match(r"/repos/([^/]+/[^/]+)(/.*)?$", path)
        if match and self.state.find(match[1]) is None:
            known = self.state.by_id(self.state.former.get(match[1].lower(), 0))
            return f"/repos/{known.full_name}{match[2] or ''}" if known else path
        return path

    async def _git(self, request: Request, token: Token | None, path: str) -> Response:
        match = re.fullmatch(r"/([^/]+/[^/]+)\.git(/.*)", path)
        repository = self.state.find(match[1]) if match else None
        if token is None:
            return Response("Unauthorized", 401, {"www-authenticate": 'Basic realm="Gitea"'})
        if match is None or repository is None or not repository.allows(token.user, "read"):
            return Response("Not found.", 404)
        writes = "git-receive-pack" in path + request.url.query
        if writes and (refusal := _refusal(repository, token.user)):
            return Response(refusal, 403)
        return await smart_http.serve(request, repository, token.user, match[2], PROTECTED)


def _refusal(repository: Repository, user: User) -> str:
    if repository.archived:
        return "This repo is archived. You can view files and clone it, but cannot push."
    return "" if repository.allows(user, "write") else "User permission denied for writing."


@asynccontextmanager
async def serving(description: Description, directory: Path) -> AsyncIterator[Gitea]:
    directory.mkdir(parents=True, exist_ok=True)
    made = Gitea(description, State(directory))
    async with listening(made):
        yield made
