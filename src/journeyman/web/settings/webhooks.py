"""The webhooks of a repository, and what became of their deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.domain.hooks import ALL_EVENTS, SUBSCRIBABLE, ContentType, Hook, HookConfig
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.service.hooks import HookEdit
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings.filled import Filled

FIELDS = frozenset({"url", "secret", "events"})
SAID = frozenset({"saved", "deleted", "pinged", "redelivered"})
LARGEST_ID = 2**63 - 1


class Webhooks:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def _access(self, request: Request, visit: Visit) -> Access:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)

    async def list(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        return self._desk.page(
            "settings/webhooks.html",
            visit,
            repository=access.repository,
            hooks=await self._services.hooks.list_hooks(access),
            said=_said(request),
        )

    async def new(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        await self._services.hooks.list_hooks(access)
        begun = {"content_type": ContentType.JSON, "active": "1"}
        begun |= {f"event-{event}": "1" for event in SUBSCRIBABLE}
        return self._form(visit, access, Filled(begun))

    async def create(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        sent = await self._desk.form(request, visit)
        config = HookConfig(
            url=sent.get("url", "").strip(),
            content_type=_content_type(sent),
            insecure_ssl=bool(sent.get("insecure_ssl")),
            secret=sent.get("secret") or None,
        )
        try:
            made = await self._services.hooks.create(
                access, config, _events(sent), active=bool(sent.get("active"))
            )
        except AppError as error:
            return self._form(visit, access, Filled(sent, error, FIELDS))
        return render.redirect(_address(access, made, "?said=saved"))

    async def show(self, request: Request, visit: Visit) -> Response:
        access, hook = await self._found(request, visit)
        return await self._one(request, visit, access, hook, Filled(_as_sent(hook)))

    async def change(self, request: Request, visit: Visit) -> Response:
        access, hook = await self._found(request, visit)
        sent = await self._desk.form(request, visit)
        # The secret is never shown, so an empty field says nothing about it.
        secret = "" if sent.get("forget_secret") else sent.get("secret") or None
        edit = HookEdit(
            active=bool(sent.get("active")),
            events=_events(sent),
            url=sent.get("url", "").strip(),
            content_type=_content_type(sent),
            insecure_ssl=bool(sent.get("insecure_ssl")),
            secret=secret,
        )
        try:
            await self._services.hooks.update(access, hook.id, edit)
        except AppError as error:
            return await self._one(request, visit, access, hook, Filled(sent, error, FIELDS))
        return render.redirect(_address(access, hook, "?said=saved"))

    async def act(self, request: Request, visit: Visit) -> Response:
        access, hook = await self._found(request, visit)
        await self._desk.form(request, visit)
        verb = request.path_params["verb"]
        if verb == "delete":
            await self._services.hooks.delete(access, hook.id)
            return render.redirect(addresses.settings(access.repository, "/hooks?said=deleted"))
        if verb != "ping":
            raise not_found("Not Found")
        await self._services.hooks.ping(access, hook.id)
        return render.redirect(_address(access, hook, "?said=pinged"))

    async def delivery(self, request: Request, visit: Visit) -> Response:
        access, hook = await self._found(request, visit)
        delivery_id = _id(request, "delivery_id")
        return self._desk.page(
            "settings/delivery.html",
            visit,
            repository=access.repository,
            hook=hook,
            delivery=await self._services.hooks.get_delivery(access, hook.id, delivery_id),
        )

    async def redeliver(self, request: Request, visit: Visit) -> Response:
        access, hook = await self._found(request, visit)
        await self._desk.form(request, visit)
        await self._services.hooks.redeliver(access, hook.id, _id(request, "delivery_id"))
        return render.redirect(_address(access, hook, "?said=redelivered"))

    async def _found(self, request: Request, visit: Visit) -> tuple[Access, Hook]:
        access = await self._access(request, visit)
        return access, await self._services.hooks.get(access, _id(request, "hook_id"))

    def _form(self, visit: Visit, access: Access, filled: Filled) -> Response:
        return self._desk.page(
            "settings/webhook_new.html",
            visit,
            status=filled.status,
            repository=access.repository,
            form=filled,
            events=SUBSCRIBABLE,
        )

    async def _one(
        self, request: Request, visit: Visit, access: Access, hook: Hook, filled: Filled
    ) -> Response:
        asked = request.query_params.get("before", "")
        before = int(asked) if asked.isdecimal() and len(asked) < 19 else None
        found, more = await self._services.hooks.list_deliveries(access, hook.id, before=before)
        return self._desk.page(
            "settings/webhook.html",
            visit,
            status=filled.status,
            repository=access.repository,
            hook=hook,
            form=filled,
            events=SUBSCRIBABLE,
            deliveries=found,
            older=_address(access, hook, f"?before={found[-1].id}") if more else "",
            said=_said(request),
        )


def _address(access: Access, hook: Hook, more: str = "") -> str:
    return addresses.settings(access.repository, f"/hooks/{hook.id}{more}")


def _id(request: Request, name: str) -> int:
    number: int = request.path_params[name]
    if number > LARGEST_ID:
        raise not_found("Not Found")
    return number


def _events(sent: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(event for event in SUBSCRIBABLE if sent.get(f"event-{event}"))


def _content_type(sent: Mapping[str, str]) -> ContentType:
    form = sent.get("content_type") == ContentType.FORM
    return ContentType.FORM if form else ContentType.JSON


def _as_sent(hook: Hook) -> Mapping[str, str]:
    everything = ALL_EVENTS in hook.events
    listened = [event for event in SUBSCRIBABLE if everything or event in hook.events]
    return {
        "url": hook.config.url,
        "content_type": hook.config.content_type,
        "insecure_ssl": "1" if hook.config.insecure_ssl else "",
        "active": "1" if hook.active else "",
        **{f"event-{event}": "1" for event in listened},
    }


def _said(request: Request) -> str:
    said = request.query_params.get("said", "")
    return said if said in SAID else ""
