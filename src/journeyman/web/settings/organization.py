"""The secrets and variables of organizations, for administrators of the server."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.domain.secrets import MCP_PREFIX, Kind, Place, Sharing, Value, Visibility
from journeyman.service import Services
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings import values
from journeyman.web.settings.filled import Filled
from journeyman.web.viewer import principal_of

ORGANIZATIONS = f"{addresses.SETTINGS}/organizations"
CHOSEN = "repository-"
"""What the names of the repositories' fields begin with; their ids follow."""
SAID = frozenset({"saved", "removed"})


class OfOrganization:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._secrets = services.secrets

    async def list(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        if not account.site_admin:
            raise not_found("Not Found")
        found = await self._secrets.organizations(principal_of(account))
        return self._desk.page("settings/organizations.html", visit, found=found)

    async def show(self, request: Request, visit: Visit) -> Response:
        return await self._page(request, visit, Filled({"visibility": Visibility.PRIVATE}))

    async def add(self, request: Request, visit: Visit) -> Response:
        places = await self._places(request, visit)
        sent = await self._desk.form(request, visit, limit=values.LARGEST_FORM)
        try:
            place = places[values.kind_of(sent)]
            await values.put(self._secrets, place, sent, _sharing(sent))
        except AppError as error:
            return await self._page(request, visit, Filled(sent, error, values.FIELDS))
        return render.redirect(f"{request.url.path}?said=saved")

    async def remove(self, request: Request, visit: Visit) -> Response:
        places = await self._places(request, visit)
        await self._desk.form(request, visit)
        place = places[values.kind_in(request.path_params)]
        await self._secrets.remove(place, request.path_params["name"])
        login = request.path_params["organization"]
        return render.redirect(f"{ORGANIZATIONS}/{login}?said=removed")

    async def _places(self, request: Request, visit: Visit) -> Mapping[Kind, Place]:
        account = self._desk.account(request, visit)
        if not account.site_admin:
            raise not_found("Not Found")
        principal, login = principal_of(account), request.path_params["organization"]
        find = self._secrets.place_of_organization
        return {kind: await find(principal, login, kind) for kind in Kind}

    async def _page(self, request: Request, visit: Visit, form: Filled) -> Response:
        places = await self._places(request, visit)
        kept = await values.kept(self._secrets, places)
        said = request.query_params.get("said", "")
        return self._desk.page(
            "settings/organization.html",
            visit,
            status=form.status,
            form=form,
            organization=request.path_params["organization"],
            at=f"{ORGANIZATIONS}/{request.path_params['organization']}",
            kept=kept,
            reach={
                one.id: await self._reach(places, one) for all_ in kept.values() for one in all_
            },
            repositories=await self._secrets.list_owned(places[Kind.SECRET]),
            reveal=self._secrets.reveal,
            mcp_prefix=MCP_PREFIX,
            said=said if said in SAID else "",
        )

    async def _reach(self, places: Mapping[Kind, Place], value: Value) -> str:
        """Which repositories get it, in words."""
        if value.visibility is not Visibility.SELECTED:
            return (
                "all repositories" if value.visibility is Visibility.ALL else "private repositories"
            )
        chosen = await self._secrets.list_selected(places[value.kind], value.name)
        return ", ".join(one.name for one in chosen) or "no repository"


def _sharing(sent: Mapping[str, str]) -> Sharing:
    wanted = sent.get("visibility", "")
    visibility = Visibility(wanted) if wanted in set(Visibility) else Visibility.PRIVATE
    if visibility is not Visibility.SELECTED:
        return Sharing(visibility)
    chosen = (name.removeprefix(CHOSEN) for name in sent if name.startswith(CHOSEN))
    return Sharing(visibility, frozenset(int(one) for one in chosen if _number(one)))


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
