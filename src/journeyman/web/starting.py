"""The form for a new task. What was typed comes back with the errors."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission
from journeyman.domain.tasks import NewTask
from journeyman.service import Services
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.viewer import principal_of

LARGEST_FORM = 2 << 20
"""Bytes: a prompt of the greatest length, with every character escaped."""
FIELDS = ("prompt", "repository", "model", "base_ref", "head_ref", "create_pull_request")
KEY = re.compile(r"[0-9a-f-]{36}")


class Starting:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def show(self, request: Request, visit: Visit) -> Response:
        """Filled in with what the address says."""
        principal = principal_of(self._desk.account(request, visit))
        asked = request.query_params
        sent = {name: asked.get(name, "") for name in FIELDS}
        sent["create_pull_request"] = asked.get("create_pull_request", "1").replace("0", "")
        return await self._form(request, visit, principal, sent)

    async def of_repository(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        full_name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        return render.redirect(addresses.with_query(addresses.NEW, {"repository": full_name}))

    async def send(self, request: Request, visit: Visit) -> Response:
        principal = principal_of(self._desk.account(request, visit))
        form = await self._desk.form(request, visit, limit=LARGEST_FORM)
        sent = {name: form.get(name, "") for name in FIELDS}
        key = form.get("key", "")
        try:
            owner, _, name = sent["repository"].partition("/")
            access = await self._services.identity.access(principal, owner, name)
            task = await self._services.tasks.create(
                principal, access, _new(sent), idempotency_key=key if KEY.fullmatch(key) else None
            )
        except AppError as error:
            return await self._form(request, visit, principal, sent, error)
        return render.redirect(f"{addresses.task(task)}?said=started")

    async def _form(
        self,
        request: Request,
        visit: Visit,
        principal: Principal,
        sent: Mapping[str, str],
        error: AppError | None = None,
    ) -> Response:
        browsing = self._services.browsing
        values: dict[str, Any] = {
            "sent": sent,
            "key": str(uuid.uuid4()),
            "repositories": await browsing.repositories(principal, Permission.WRITE),
            "models": self._services.models.list(),
            "api": str(request.base_url).rstrip("/"),
            "errors": {one.field: one.message for one in error.fields} if error else {},
            "error": _general(error),
        }
        return self._desk.page("new.html", visit, status=422 if error else 200, **values)


def _new(sent: Mapping[str, str]) -> NewTask:
    # A browser sends line ends as CRLF; a script in a prompt would not run with them.
    return NewTask(
        prompt=sent["prompt"].replace("\r\n", "\n"),
        model=sent["model"] or None,
        create_pull_request=bool(sent["create_pull_request"]),
        base_ref=sent["base_ref"].strip() or None,
        head_ref=sent["head_ref"].strip() or None,
    )


def _general(error: AppError | None) -> str:
    """What belongs to no field of the form."""
    if error is None or any(one.field in FIELDS for one in error.fields):
        return ""
    if error.code is Code.NOT_FOUND:
        return "There is no such repository, or you may not see it."
    return error.message
