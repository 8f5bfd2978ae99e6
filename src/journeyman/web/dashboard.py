"""The dashboard's route table, and the application around it. Knows nothing of what a page does."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from journeyman.domain.errors import not_found
from journeyman.service import Services
from journeyman.service.administration import RESERVED
from journeyman.web import addresses, assets, render
from journeyman.web.acting import Acting
from journeyman.web.bulk import Bulk
from journeyman.web.desk import Desk, Page
from journeyman.web.elsewhere import Elsewhere
from journeyman.web.listing import Listing
from journeyman.web.overview import Overviewing
from journeyman.web.pages import Pages
from journeyman.web.pulling import Pulling
from journeyman.web.review import Review
from journeyman.web.session import Sessions, Visit
from journeyman.web.settings.access import AccessTo
from journeyman.web.settings.audit import AuditLog
from journeyman.web.settings.managed import Managed
from journeyman.web.settings.organization import OfOrganization
from journeyman.web.settings.own import Own
from journeyman.web.settings.repository import OfRepository
from journeyman.web.settings.webhooks import Webhooks
from journeyman.web.starting import Starting
from journeyman.web.stream import HEARTBEAT_SECONDS, Stream
from journeyman.web.taking import Taking
from journeyman.web.watching import Watching

WHOLE = frozenset({"/agents", "/agents/new", "/agents/bulk", "/agents/overview", "/settings"})
BELOW = re.compile(
    r"/static/.*|/settings/.*|/(?!repos/|api/|agents/|users?/|orgs/|settings/|login/)"
    r"[^/]+/[^/]+/(?:agents(?:/new|/tasks/.*)?|pulls(?:/.*)?|settings(?:/.*)?)",
    re.DOTALL,
)
ACCOUNT = re.compile(r"/([a-z\d-]+)(?:/.*)?", re.DOTALL | re.IGNORECASE)
"""The API's own addresses begin with words that no account may be named."""
TASK = "/{owner}/{repo}/agents/tasks/{task_id}"


class Dashboard:
    """A pure ASGI application for the addresses that `matches`."""

    def __init__(
        self,
        services: Services,
        *,
        stopping: asyncio.Event,
        public_url: str = "",
        forge_url: str = "",
        pull_path: str = "pulls",
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """*forge_url*: where users, repositories and pull requests are; empty: here. *pull_path*:
        what is between repository and number there."""
        files = assets.load()
        self._pages = Pages(files, forge_url=forge_url)
        identity = services.identity if forge_url else None
        sessions = Sessions(services.logins, public_url=public_url)
        self._desk = Desk(self._pages, sessions, identity)
        stream = Stream(
            self._desk,
            services,
            self._pages,
            stopping=stopping,
            heartbeat_seconds=heartbeat_seconds,
        )
        watching = Watching(self._desk, services)
        routes = [
            Route("/static/{name}", files.serve, methods=["GET"]),
            *self._lists(Listing(self._desk, services), Starting(self._desk, services)),
            self._post("/agents/bulk", Bulk(self._desk, services).act),
            self._get("/agents/overview", Overviewing(self._desk, services).show),
            *self._task(watching),
            *self._acts(Acting(self._desk, services, watching)),
            self._get(f"{TASK}/stream", stream.open),
            *(
                self._elsewhere(Elsewhere(self._desk, forge_url, pull_path))
                if forge_url
                else [*self._pulls(Pulling(self._desk, services)), *self._embedded(services)]
            ),
            *self._files(Taking(self._desk, services), Review(self._desk, services)),
            *self._settings(services),
            *self._as_github_has_them(),
        ]
        nothing = Route("/", self._desk.endpoint(_nothing), methods=None).app
        self._router = Router(routes, redirect_slashes=False, default=nothing)

    def matches(self, path: str) -> bool:
        return path in WHOLE or BELOW.fullmatch(path) is not None

    def welcomes(self, scope: Scope) -> bool:
        """A browser, where an API client finds the API's index or nothing: at the root, and
        wherever an address begins with what could be an account."""
        accepts = (value for name, value in scope["headers"] if name == b"accept")
        if scope["method"] not in ("GET", "HEAD") or not any(b"text/html" in a for a in accepts):
            return False
        first = ACCOUNT.fullmatch(scope["path"])
        return scope["path"] == "/" or (first is not None and first[1].lower() not in RESERVED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            await render.redirect(addresses.HOME)(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    def _as_github_has_them(self) -> list[BaseRoute]:
        """What the API gives out as `html_url` of accounts, repositories and pull requests."""
        repository = "/{owner}/{repo}"
        return [
            self._led("/{owner}", f"{addresses.HOME}?creator={{owner}}"),
            self._led(repository, f"{repository}/agents"),
            self._led(f"{repository}/pull/{{number:int}}", f"{repository}/pulls/{{number}}"),
        ]

    def _lists(self, listing: Listing, starting: Starting) -> list[BaseRoute]:
        return [
            self._get("/agents", listing.all),
            self._both("/agents/new", starting.show, starting.send),
            self._get("/{owner}/{repo}/agents", listing.of_repository),
            self._get("/{owner}/{repo}/agents/new", starting.of_repository),
        ]

    def _task(self, watching: Watching) -> list[BaseRoute]:
        return [
            self._get(TASK, watching.show),
            self._get(f"{TASK}/side", watching.side),
            self._get(f"{TASK}/older", watching.older),
            self._get(f"{TASK}/newer", watching.newer),
            self._get(f"{TASK}/search", watching.search),
        ]

    def _acts(self, acting: Acting) -> list[BaseRoute]:
        return [
            self._post(f"{TASK}/steer", acting.steer),
            *(self._post(f"{TASK}/{verb}", acting.act) for verb in acting.verbs),
        ]

    def _pulls(self, pulling: Pulling) -> list[BaseRoute]:
        return [
            self._get("/{owner}/{repo}/pulls", pulling.list),
            self._both("/{owner}/{repo}/pulls/{number}", pulling.show, pulling.act),
        ]

    def _files(self, taking: Taking, review: Review) -> list[BaseRoute]:
        return [
            self._get(f"{TASK}/changes", review.changes),
            self._get(f"{TASK}/log", taking.log),
            self._get(f"{TASK}/output", taking.output),
            self._get(f"{TASK}/patch", taking.patch),
        ]

    def _elsewhere(self, elsewhere: Elsewhere) -> list[BaseRoute]:
        return [
            self._get("/{owner}/{repo}/pulls", elsewhere.pulls),
            self._get("/{owner}/{repo}/pulls/{number:int}", elsewhere.pull),
            self._get("/settings", elsewhere.settings),
        ]

    def _embedded(self, services: Services) -> list[BaseRoute]:
        """The settings of users, and of what they may do, which only an embedded forge has."""
        own, managed = Own(self._desk, services), Managed(self._desk, services)
        access = AccessTo(self._desk, services)
        return [
            self._both("/{owner}/{repo}/settings/access", access.show, access.grant),
            self._post("/{owner}/{repo}/settings/access/{login}/remove", access.remove),
            self._get("/settings", own.start),
            self._get("/settings/tokens", own.tokens),
            self._both("/settings/tokens/new", own.new_token, own.create_token),
            self._both("/settings/tokens/new-fine-grained", own.new_token, own.create_token),
            self._post("/settings/tokens/{token_id:int}/revoke", own.revoke_token),
            self._get("/settings/applications", own.applications),
            self._get("/settings/connections/applications/{client_id}", own.connection),
            self._post("/settings/applications/{client_id}/revoke", own.revoke_application),
            self._both("/settings/users", managed.users, managed.create_user),
            self._post("/settings/users/{login}/{verb}", managed.change_user),
            *self._organizations(OfOrganization(self._desk, services)),
            self._get("/settings/apps", managed.apps),
            self._both("/settings/apps/new", managed.new_app, managed.create_app),
            self._post("/settings/apps/{client_id}/{verb}", managed.change_app),
        ]

    def _settings(self, services: Services) -> list[BaseRoute]:
        own = Own(self._desk, services)
        of_repository, audit = OfRepository(self._desk, services), AuditLog(self._desk, services)
        return [
            self._get("/settings/repositories", own.repositories),
            self._get("/settings/audit-log", audit.of_server),
            self._get("/{owner}/{repo}/settings/audit-log", audit.of_repository),
            *self._webhooks(Webhooks(self._desk, services)),
            self._both("/{owner}/{repo}/settings", of_repository.agent, of_repository.set_agent),
            self._both(
                "/{owner}/{repo}/settings/secrets",
                of_repository.values,
                of_repository.add_value,
            ),
            self._post(
                "/{owner}/{repo}/settings/secrets/{kind}/{name}/remove", of_repository.remove_value
            ),
        ]

    def _organizations(self, organizations: OfOrganization) -> list[BaseRoute]:
        place = "/settings/organizations"
        one = f"{place}/{{organization}}"
        return [
            self._get(place, organizations.list),
            self._both(one, organizations.show, organizations.add),
            self._post(f"{one}/{{kind}}/{{name}}/remove", organizations.remove),
        ]

    def _webhooks(self, webhooks: Webhooks) -> list[BaseRoute]:
        place = "/{owner}/{repo}/settings/hooks"
        one = f"{place}/{{hook_id:int}}"
        delivery = f"{one}/deliveries/{{delivery_id:int}}"
        return [
            self._get(place, webhooks.list),
            self._both(f"{place}/new", webhooks.new, webhooks.create),
            self._both(one, webhooks.show, webhooks.change),
            self._get(delivery, webhooks.delivery),
            self._post(f"{delivery}/redeliver", webhooks.redeliver),
            self._post(f"{one}/{{verb}}", webhooks.act),
        ]

    def _led(self, path: str, target: str) -> Route:
        """*target*: with the names of *path*."""

        async def lead(request: Request, _visit: Visit) -> Response:
            names = {name: quote(str(part)) for name, part in request.path_params.items()}
            return render.redirect(target.format_map(names))

        return self._get(path, lead)

    def _get(self, path: str, page: Page) -> Route:
        return Route(path, self._desk.endpoint(page), methods=["GET"])

    def _post(self, path: str, page: Page) -> Route:
        """A browser that comes back to it, as after logging in again, is led to where it leads."""

        async def either(request: Request, visit: Visit) -> Response:
            if request.method == "POST":
                return await page(request, visit)
            return render.redirect(path_above(request.url.path))

        return Route(path, self._desk.endpoint(either), methods=["GET", "POST"])

    def _both(self, path: str, show: Page, send: Page) -> Route:
        async def either(request: Request, visit: Visit) -> Response:
            return await (send if request.method == "POST" else show)(request, visit)

        return Route(path, self._desk.endpoint(either), methods=["GET", "POST"])


def path_above(path: str) -> str:
    return path.rpartition("/")[0] or addresses.HOME


async def _nothing(_request: Request, _visit: Visit) -> Response:
    raise not_found("Not Found")
