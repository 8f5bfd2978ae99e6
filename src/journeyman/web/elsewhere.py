"""Where a page leads that another forge has: its own pages of pull requests."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from journeyman.web import render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit


class Elsewhere:
    """*forge_url*: without a slash at the end. *pull_path*: as `Forge.pull_path`."""

    def __init__(self, desk: Desk, forge_url: str, pull_path: str) -> None:
        self._desk = desk
        self._forge_url = forge_url
        self._pull_path = pull_path

    async def pulls(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        return render.redirect(f"{self._repository(request)}/pulls")

    async def pull(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        number = request.path_params["number"]
        return render.redirect(f"{self._repository(request)}/{self._pull_path}/{number}")

    async def settings(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        return render.redirect("/settings/repositories")

    def _repository(self, request: Request) -> str:
        owner, repo = (quote(request.path_params[part], safe="") for part in ("owner", "repo"))
        return f"{self._forge_url}/{owner}/{repo}"
