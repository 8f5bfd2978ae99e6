"""The form for a new task, and the templates kept for it. What was typed comes back with errors."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.templates import NewTemplate
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.web import addresses, asked, render
from journeyman.web.asked import Sent
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

LARGEST_FORM = 2 << 20
"""Bytes: a prompt of the greatest length, with every character escaped."""
KEY = re.compile(r"[0-9a-f-]{36}")


class Starting:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def show(self, request: Request, visit: Visit) -> Response:
        """Filled in with what the address says; `again` names a task to repeat, and
        `part=choices` gives only what depends on the repository."""
        principal = await self._desk.principal(request, visit)
        sent = asked.from_query(request.query_params)
        again = request.query_params.get("again", "")
        if again:
            sent = asked.from_task(await self._services.browsing.task(principal, again))
        part = request.query_params.get("part") == "choices"
        return await self._form(request, visit, sent, again=again, part=part)

    async def of_repository(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        full_name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        return render.redirect(addresses.with_query(addresses.NEW, {"repository": full_name}))

    async def send(self, request: Request, visit: Visit) -> Response:
        """Start the task, or keep or delete a template, as the button says."""
        principal = await self._desk.principal(request, visit)
        form = await self._desk.form(request, visit, limit=LARGEST_FORM)
        sent, verb = asked.from_form(form), form.get("verb", "")
        try:
            access = await self._access(principal, sent["repository"])
            if verb:
                said = await self._templates(access, verb, form)
                return await self._form(request, visit, sent, said=said)
            return await self._start(principal, access, sent, form.get("key", ""))
        except AppError as error:
            return await self._form(request, visit, sent, error=error)

    async def _start(self, principal: Principal, access: Access, sent: Sent, key: str) -> Response:
        task = await self._services.tasks.create(
            principal,
            access,
            asked.new_task(sent),
            idempotency_key=key if KEY.fullmatch(key) else None,
        )
        return render.redirect(f"{addresses.task(task)}?said=started")

    async def _templates(self, access: Access, verb: str, form: Mapping[str, str]) -> str:
        if verb == "keep":
            name = form.get("template_name", "").strip()
            prompt = form.get("prompt", "").replace("\r\n", "\n")
            await self._services.templates.save(access, NewTemplate(name, prompt))
            return f"“{name}” is kept as a template for {access.repository.full_name}."
        number = verb.removeprefix("delete-")
        if number.isdecimal() and len(number) < 10:
            await self._services.templates.delete(access, int(number))
        return "The template is deleted."

    async def _access(self, principal: Principal, full_name: str) -> Access:
        owner, _, name = full_name.partition("/")
        return await self._services.identity.access(principal, owner, name)

    async def _form(
        self,
        request: Request,
        visit: Visit,
        sent: Sent,
        *,
        error: AppError | None = None,
        said: str = "",
        again: str = "",
        part: bool = False,
    ) -> Response:
        principal = await self._desk.principal(request, visit)
        repositories = await self._services.browsing.repositories(principal, Permission.WRITE)
        fields = {one.field.removeprefix("limits."): one.message for one in _fields(error)}
        values: dict[str, Any] = {
            "sent": sent,
            "again": again,
            "said": said,
            "key": str(uuid.uuid4()),
            "repositories": repositories,
            **await self._choices(principal, _chosen(repositories, sent["repository"])),
            "models": await asyncio.to_thread(self._services.models.list),
            "api": str(request.base_url).rstrip("/"),
            "errors": fields,
            "error": _general(error, fields),
            "limited": any(sent[name] or name in fields for name in asked.LIMITS),
            "limits": asked.LIMITS,
        }
        template = "choices.html" if part else "new.html"
        return self._desk.page(template, visit, status=422 if error else 200, **values)

    async def _choices(self, principal: Principal, chosen: Repository | None) -> dict[str, Any]:
        """What depends on the repository. Where its files cannot be read, agents cannot be
        chosen; all else can."""
        if chosen is None:
            return {"agents": (), "templates": ()}
        access = await self._access(principal, chosen.full_name)
        templates = await self._services.templates.list(access)
        try:
            agents = await self._services.custom_agents.list(principal, access)
        except AppError:
            agents = ()
        return {"agents": agents, "templates": templates}


def _chosen(repositories: Sequence[Repository], full_name: str) -> Repository | None:
    """The one that the form shows as chosen: the first, when no other is named."""
    named = (one for one in repositories if one.full_name.lower() == full_name.lower())
    return next(named, repositories[0] if repositories else None)


def _fields(error: AppError | None) -> Sequence[Any]:
    return error.fields if error else ()


def _general(error: AppError | None, fields: Mapping[str, str]) -> str:
    """What belongs to no field of the form."""
    if error is None or set(fields) & {*asked.FIELDS, "template_name"}:
        return ""
    if error.code is Code.NOT_FOUND:
        return "There is no such repository, or you may not see it."
    return error.message
