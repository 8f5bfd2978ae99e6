"""GitHub on a local socket, as a GitHub Enterprise Server has it: the site with git at `/`, the
REST API at `/api/v3`, GraphQL at `/api/graphql`.

Every request and every answer is held against the published description; what does not fit is in
`problems`. `faults` are injected before anything else is looked at.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from journeyman import hosting
from tests.peers.github import graphql, rest, smart_http
from tests.peers.github.description import Description
from tests.peers.github.objects import Objects, as_json
from tests.peers.github.rest import Problem
from tests.peers.github.state import State, Token

API = "/api/v3"


@dataclass
class Fault:
    """Answers *times* requests whose `METHOD /path` the pattern finds; status 0 ends the
    connection without a word."""

    pattern: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "Server Error"
    times: int = 1
    after: bool = False
    """Only the answer is lost: what was asked for has been done."""


@dataclass
class Seen:
    method: str
    path: str
    body: bytes
    authorization: str


class Gone(Exception):
    """The connection ends."""


class GitHub:
    def __init__(self, description: Description, state: State) -> None:
        self.description = description
        self.state = state
        self.url = ""
        self.problems: list[str] = []
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.while_git_asks: Callable[[], None] = lambda: None
        """Called while somebody's git waits for an answer."""

    def asked(self, pattern: str) -> list[Seen]:
        return [one for one in self.seen if re.search(pattern, f"{one.method} {one.path}")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode().partition("?")[0])
        body = await request.body()
        self.seen.append(Seen(request.method, path, body, request.headers.get("authorization", "")))
        fault = self._fault(f"{request.method} {path}")
        try:
            if fault is not None and not fault.after:
                response = _failed(fault)
            else:
                response = await self._answer(request, path, body)
                response = _failed(fault) if fault is not None else response
        except Gone:
            return
        await response(scope, receive, send)

    def _fault(self, asked: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, asked):
                fault.times -= 1
                return fault
        return None

    async def _answer(self, request: Request, path: str, body: bytes) -> Response:
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
        headers = {"content-type": "application/json; charset=utf-8", **_told(token)}
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
        return await smart_http.serve(request, repository, token.user, match[2])


def _failed(fault: Fault) -> Response:
    if not fault.status:
        raise Gone
    headers = {"content-type": "application/json", **fault.headers}
    return Response(as_json({"message": fault.message}), fault.status, headers)


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
    listening = hosting.bind("127.0.0.1", 0, "")
    made.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with hosting.answering(made, listening):
        yield made
        await asyncio.sleep(0)
