"""`/repos/{owner}/{repo}/agents/hooks`: webhooks in the manner of GitHub's of a repository.

Knows nothing of how a delivery is carried.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, pagination, parameters, responses, wire
from journeyman.api.errors import invalid_request
from journeyman.api.exchange import Addresses, addresses_of
from journeyman.domain.errors import invalid, not_found
from journeyman.domain.hooks import ContentType, Delivery, Hook, HookConfig, HookEvent
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Repository
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.service.hooks import HookEdit

MASK = "********"
CONTENT_TYPES = {kind.value: kind for kind in ContentType}
INSECURE = {"0": False, "1": True}
SUCCESS = {"success": True, "failure": False}


class Config(msgspec.Struct):
    url: str | None = None
    content_type: str | None = None
    secret: str | None = None
    insecure_ssl: str | int | None = None


class CreateHook(msgspec.Struct):
    """`name` may be given, as GitHub's clients do, and is always `web`."""

    config: dict[str, Any] = msgspec.field(default_factory=dict)
    events: list[str] | None = None
    active: bool = True


class UpdateHook(msgspec.Struct):
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    events: list[str] | None = None
    add_events: list[str] = msgspec.field(default_factory=list)
    remove_events: list[str] = msgspec.field(default_factory=list)
    active: bool | None = None


class Hooks:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._hooks = services.hooks

    async def list(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        page, per_page = parameters.paging(parameters.pairs_of(request))
        shown, more = parameters.page_of(await self._hooks.list_hooks(access), page, per_page)
        link = pagination.link(request, page=page, has_more=more)
        content = [self._entry(request, access, one) for one in shown]
        return responses.as_json(content, headers={"Link": link})

    async def create(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        asked = await body.read(request, CreateHook)
        config = config_of(asked.config)
        if not config.url:
            raise invalid_request('"config.url" wasn\'t supplied.', "url", "missing_field")
        made = await self._hooks.create(
            access,
            HookConfig(
                url=config.url,
                content_type=content_type(config.content_type) or ContentType.FORM,
                insecure_ssl=insecure(config.insecure_ssl) or False,
                secret=config.secret,
            ),
            [HookEvent.TASK] if asked.events is None else asked.events,
            active=asked.active,
        )
        return responses.as_json(self._entry(request, access, made), 201)

    async def get(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        found = await self._hooks.get(access, number(request, "hook_id"))
        return responses.as_json(self._entry(request, access, found))

    async def update(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        asked = await body.read(request, UpdateHook)
        config = config_of(asked.config)
        edit = HookEdit(
            active=asked.active,
            events=None if asked.events is None else tuple(asked.events),
            add_events=tuple(asked.add_events),
            remove_events=tuple(asked.remove_events),
            url=config.url,
            content_type=content_type(config.content_type),
            insecure_ssl=insecure(config.insecure_ssl),
            # What a client has read here, it writes back.
            secret=None if config.secret == MASK else config.secret,
        )
        made = await self._hooks.update(access, number(request, "hook_id"), edit)
        return responses.as_json(self._entry(request, access, made))

    async def delete(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        await self._hooks.delete(access, number(request, "hook_id"))
        return Response(status_code=204)

    async def ping(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        await self._hooks.ping(access, number(request, "hook_id"))
        return Response(status_code=204)

    async def list_deliveries(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        pairs = parameters.pairs_of(request)
        per_page = parameters.number(pairs, "per_page", default=30, most=100)
        found, more = await self._hooks.list_deliveries(
            access,
            number(request, "hook_id"),
            before=parameters.cursor(pairs, "cursor"),
            per_page=per_page,
            success=parameters.choice(pairs, "status", {**SUCCESS, "": None}, None),
        )
        link = pagination.next_link(request, "cursor", str(found[-1].id) if more else None)
        return responses.as_json([delivery_item(one) for one in found], headers=link)

    async def get_delivery(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        hook_id, delivery_id = number(request, "hook_id"), number(request, "delivery_id")
        found = await self._hooks.get_delivery(access, hook_id, delivery_id)
        return responses.as_json(delivery(found))

    async def redeliver(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        hook_id, delivery_id = number(request, "hook_id"), number(request, "delivery_id")
        await self._hooks.redeliver(access, hook_id, delivery_id)
        return responses.as_json({}, 202)

    def _entry(self, request: Request, access: Access, hook: Hook) -> dict[str, Any]:
        return as_hook(hook, access.repository, addresses_of(request.scope))

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)


def as_hook(hook: Hook, repository: Repository, addresses: Addresses) -> dict[str, Any]:
    url = f"{addresses.repository(repository)}/agents/hooks/{hook.id}"
    config = {
        "content_type": hook.config.content_type,
        "insecure_ssl": "1" if hook.config.insecure_ssl else "0",
        "url": hook.config.url,
    }
    if hook.config.has_secret:
        config["secret"] = MASK
    last = hook.last_response
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": list(hook.events),
        "config": config,
        "created_at": wire.time(hook.created_at),
        "updated_at": wire.time(hook.updated_at),
        "url": url,
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": last.code, "status": last.status, "message": last.message},
    }


def delivery_item(found: Delivery) -> dict[str, Any]:
    """A delivery as lists show it. Ids and times are of the attempt, `guid` is what the attempts
    have in common."""
    return {
        "id": found.id,
        "guid": found.guid,
        "delivered_at": wire.precise_time(found.delivered_at),
        "redelivery": found.redelivery,
        "duration": found.response.seconds,
        "status": found.response.status,
        "status_code": found.response.code or 0,
        "event": found.event,
        "action": found.action,
        "installation_id": None,
        "repository_id": found.repository_id,
        "throttled_at": None,
    }


def delivery(found: Delivery) -> dict[str, Any]:
    """The payloads are what was sent and what came back; the one that came back is cut off."""
    return {
        **delivery_item(found),
        "url": found.url,
        "request": {
            "headers": found.request_headers,
            "payload": msgspec.json.decode(found.request_payload),
        },
        "response": {"headers": found.response.headers, "payload": found.response.payload},
    }


def config_of(given: dict[str, Any]) -> Config:
    present = {key: value for key, value in given.items() if value is not None}
    try:
        return msgspec.convert(present, Config)
    except msgspec.ValidationError as error:
        raise body.wrong_type(str(error), present) from None


def content_type(text: str | None) -> ContentType | None:
    if text is not None and text not in CONTENT_TYPES:
        wanted = parameters.one_of(CONTENT_TYPES)
        message = f"content_type {text[:100]!r} is not {wanted}."
        raise invalid("content_type", message, "invalid")
    return CONTENT_TYPES[text] if text is not None else None


def insecure(given: str | int | None) -> bool | None:
    """A text or a number, as GitHub takes both."""
    if given is None:
        return None
    if str(given) not in INSECURE:
        message = f"insecure_ssl {str(given)[:100]!r} is neither 0 nor 1."
        raise invalid("insecure_ssl", message, "invalid")
    return INSECURE[str(given)]


def number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not parameters.is_number(text, parameters.LARGEST_ID):
        raise not_found(f"{name} is a number.")
    return int(text)
