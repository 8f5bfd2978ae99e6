"""A plain git server over HTTP that wants a user's name and password, and is nothing else."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tests.peers.faulty import Faulty, listening
from tests.peers.github import smart_http
from tests.peers.github.state import Repository, State

PAIR = "robot:se:cret,=1"


class GitServer(Faulty):
    def __init__(self, repository: Repository) -> None:
        super().__init__()
        self.repository = repository

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    async def answer(self, request: Request, path: str, _body: bytes) -> Response:
        wanted = f"Basic {base64.b64encode(PAIR.encode()).decode()}"
        if request.headers.get("authorization") != wanted:
            return Response("", 401, {"www-authenticate": 'Basic realm="git"'})
        service = path.removeprefix("/team/app.git")
        return await smart_http.serve(request, self.repository, self.repository.owner, service)


@asynccontextmanager
async def serving(directory: Path, source: Path) -> AsyncIterator[GitServer]:
    """*source* is what it has at `/team/app.git`."""
    directory.mkdir()
    state = State(directory)
    state.add_user("team")
    made = GitServer(state.add_repository("team/app", source))
    async with listening(made):
        yield made
