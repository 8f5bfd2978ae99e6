"""The agent's secrets and variables, of repositories and of organizations.

Knows nothing of how they are kept. A list has `total_count` first and the entries next: clients
take the first other key for the entries.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, pagination, parameters, repositories, responses, wire
from journeyman.api.errors import Refusal, invalid_request
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission
from journeyman.domain.secrets import Kind, Place, Sharing, Value, Visibility
from journeyman.forge import Access
from journeyman.service import Services

PER_PAGE = {Kind.SECRET: (30, 100), Kind.VARIABLE: (10, 30)}
"""Default and most."""
VISIBILITIES = {visibility.value: visibility for visibility in Visibility}


class PutSecret(msgspec.Struct):
    encrypted_value: str | None = None
    key_id: str | None = None
    visibility: str | None = None
    selected_repository_ids: list[int] | None = None


class PutVariable(msgspec.Struct):
    name: str | None = None
    value: str | None = None
    visibility: str | None = None
    selected_repository_ids: list[int] | None = None


class SelectRepositories(msgspec.Struct):
    selected_repository_ids: list[int] | None = None


class Values:
    """The routes that both kinds have. *kind* says which these are."""

    def __init__(self, services: Services, kind: Kind) -> None:
        self._services = services
        self._secrets = services.secrets
        self._kind = kind

    async def list(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        page, per_page = self._paging(request)
        found, total = await self._secrets.list_values(place, page, per_page)
        return self._page(request, [self._entry(request, one) for one in found], total)

    async def list_shared(self, request: Request, principal: Principal) -> Response:
        """What the organization shares with a repository, without how."""
        access = await self._access(request, principal)
        page, per_page = self._paging(request)
        found, total = await self._secrets.list_shared(access, self._kind, page, per_page)
        return self._page(request, [self._plain(one) for one in found], total)

    async def get(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        found = await self._secrets.get(place, name_of(request))
        return responses.as_json(self._entry(request, found))

    async def delete(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        await self._secrets.remove(place, name_of(request))
        return Response(status_code=204)

    async def list_selected(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        page, per_page = parameters.paging(parameters.pairs_of(request))
        found = await self._secrets.list_selected(place, name_of(request))
        shown, more = parameters.page_of(found, page, per_page)
        addresses = addresses_of(request.scope)
        content = {
            "total_count": len(found),
            "repositories": [
                repositories.full_repository(Access(one, Permission.ADMIN), addresses)
                for one in shown
            ],
        }
        link = pagination.link(request, page=page, has_more=more)
        return responses.as_json(content, headers={"Link": link})

    async def select(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        asked = await body.read(request, SelectRepositories)
        if asked.selected_repository_ids is None:
            raise missing("selected_repository_ids")
        wanted = set(asked.selected_repository_ids)
        return await self._select(place, request, lambda _: wanted)

    async def select_one(self, request: Request, principal: Principal) -> Response:
        place, chosen = await self._place(request, principal), repository_id(request)
        return await self._select(place, request, lambda known: known | {chosen})

    async def deselect_one(self, request: Request, principal: Principal) -> Response:
        place, chosen = await self._place(request, principal), repository_id(request)
        return await self._select(place, request, lambda known: known - {chosen})

    async def _select(self, place: Place, request: Request, pick: Any) -> Response:
        try:
            await self._secrets.select(place, name_of(request), pick)
        except AppError as error:
            if error.code is Code.CONFLICT:
                raise Refusal(Code.CONFLICT, error.message, status=409) from error
            raise
        return Response(status_code=204)

    def _entry(self, request: Request, value: Value) -> dict[str, Any]:
        entry = self._plain(value)
        if value.visibility is not None:
            entry["visibility"] = value.visibility
        if value.visibility is Visibility.SELECTED:
            org, kind = request.path_params["org"], f"{self._kind}s"
            api = addresses_of(request.scope).api
            url = f"{api}/orgs/{org}/agents/{kind}/{value.name}/repositories"
            entry["selected_repositories_url"] = url
        return entry

    def _plain(self, value: Value) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": value.name}
        if value.kind is Kind.VARIABLE:
            entry["value"] = self._secrets.reveal(value)
        times = {
            "created_at": wire.time(value.created_at),
            "updated_at": wire.time(value.updated_at),
        }
        return {**entry, **times}

    def _page(self, request: Request, entries: Any, total: int) -> Response:
        page, per_page = self._paging(request)
        link = pagination.link(request, page=page, has_more=page * per_page < total)
        content = {"total_count": total, f"{self._kind}s": entries}
        return responses.as_json(content, headers={"Link": link})

    def _paging(self, request: Request) -> tuple[int, int]:
        default, most = PER_PAGE[self._kind]
        return parameters.paging(parameters.pairs_of(request), per_page=default, most=most)

    async def _place(self, request: Request, principal: Principal) -> Place:
        if "org" in request.path_params:
            org = request.path_params["org"]
            return await self._secrets.place_of_organization(principal, org, self._kind)
        return self._secrets.place(await self._access(request, principal), self._kind)

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)


class Secrets(Values):
    def __init__(self, services: Services) -> None:
        super().__init__(services, Kind.SECRET)

    async def public_key(self, request: Request, principal: Principal) -> Response:
        await self._place(request, principal)
        key = self._secrets.public_key()
        return responses.as_json({"key_id": key.key_id, "key": key.key})

    async def put(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        asked = await body.read(request, PutSecret)
        if asked.encrypted_value is None:
            raise missing("encrypted_value")
        if asked.key_id is None:
            raise missing("key_id")
        sharing = sharing_of(place, asked.visibility, asked.selected_repository_ids, new=True)
        is_new = await self._secrets.put_secret(
            place, name_of(request), asked.encrypted_value, asked.key_id, sharing
        )
        return responses.as_json({}, 201) if is_new else Response(status_code=204)


class Variables(Values):
    def __init__(self, services: Services) -> None:
        super().__init__(services, Kind.VARIABLE)

    async def create(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        asked = await body.read(request, PutVariable)
        if asked.name is None:
            raise missing("name")
        if asked.value is None:
            raise missing("value")
        sharing = sharing_of(place, asked.visibility, asked.selected_repository_ids, new=True)
        await self._secrets.add_variable(place, asked.name, asked.value, sharing)
        return responses.as_json({}, 201)

    async def update(self, request: Request, principal: Principal) -> Response:
        place = await self._place(request, principal)
        asked = await body.read(request, PutVariable)
        sharing = sharing_of(place, asked.visibility, asked.selected_repository_ids, new=False)
        await self._secrets.change_variable(
            place, name_of(request), asked.name, asked.value, sharing
        )
        return Response(status_code=204)


def name_of(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def repository_id(request: Request) -> int:
    text = request.path_params["repository_id"]
    if not parameters.is_number(text, parameters.LARGEST_ID):
        raise not_found("A repository's id is a number.")
    return int(text)


def sharing_of(
    place: Place, visibility: str | None, repository_ids: list[int] | None, *, new: bool
) -> Sharing:
    """A repository's own are not shared; what is said about it is unknown and so passed over."""
    if place.organization_id is None:
        return Sharing()
    if visibility is None and new:
        raise missing("visibility")
    if visibility is not None and visibility not in VISIBILITIES:
        wanted = parameters.one_of(VISIBILITIES)
        raise invalid("visibility", f"visibility {visibility[:100]!r} is not {wanted}.", "invalid")
    ids = None if repository_ids is None else frozenset(repository_ids)
    return Sharing(VISIBILITIES[visibility] if visibility else None, ids)


def missing(field: str) -> Refusal:
    return invalid_request(f'"{field}" wasn\'t supplied.', field, "missing_field")
