"""What a person does to a task from its page: each verb confirms what it did, or says why not.

Knows nothing of how the page looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError
from journeyman.domain.principals import Principal
from journeyman.domain.sessions import State
from journeyman.domain.tasks import Task
from journeyman.service import Services
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.watching import Looked, Watching, look

LARGEST_FORM = 2 << 20
"""Bytes: a message of the greatest length, with every character escaped."""
GO_ON = "Go on."
"""What resuming says to the agent."""
Verb = Callable[[Principal, Task], Awaitable[str]]
"""Does it, and gives the address that the browser goes to."""


class Acting:
    def __init__(self, desk: Desk, services: Services, watching: Watching) -> None:
        self._desk = desk
        self._services = services
        self._watching = watching
        self.verbs: Mapping[str, Verb] = {
            "cancel": self._cancel,
            "pause": self._pause,
            "resume": self._resume,
            "pull": self._open_pull,
            "archive": self._archive,
            "unarchive": self._unarchive,
        }
        """By the last word of the address."""

    async def steer(self, request: Request, visit: Visit) -> Response:
        """A message, an answer, or after the end a follow-up: the state says which."""
        seen = await look(self._desk, self._services, request, visit)
        sent = await self._desk.form(request, visit, limit=LARGEST_FORM)
        content = (sent.get("choice") or sent.get("content", "")).replace("\r\n", "\n")
        task = seen.sight.task
        try:
            await self._services.sessions.steer(seen.principal, task.id, content)
        except AppError as error:
            return await self._watching.failed(visit, seen, error, typed=content)
        return render.redirect(f"{_said(task, _heard(task))}#end")

    async def act(self, request: Request, visit: Visit) -> Response:
        """One of the verbs that need no more than their button."""
        seen: Looked = await look(self._desk, self._services, request, visit)
        await self._desk.form(request, visit)
        verb = self.verbs[request.url.path.rpartition("/")[2]]
        try:
            return render.redirect(await verb(seen.principal, seen.sight.task))
        except AppError as error:
            return await self._watching.failed(visit, seen, error)

    async def _cancel(self, principal: Principal, task: Task) -> str:
        task = await self._services.sessions.cancel(principal, task.id)
        if task.session.ended and task.session.state is not State.CANCELLED:
            return _said(task, "ended")
        return _said(task, "cancelled" if task.session.ended else "cancelling")

    async def _pause(self, principal: Principal, task: Task) -> str:
        task = await self._services.sessions.pause(principal, task.id)
        return _said(task, "paused" if task.session.state is State.IDLE else "pausing")

    async def _resume(self, principal: Principal, task: Task) -> str:
        await self._services.sessions.steer(principal, task.id, GO_ON)
        return _said(task, "resumed")

    async def _open_pull(self, principal: Principal, task: Task) -> str:
        """For a task that was asked for without one."""
        repository = task.repository
        access = await self._services.identity.access(
            principal, repository.owner.login, repository.name
        )
        pull = await self._services.proposing.propose(principal, access, task.id)
        return f"{addresses.pull(repository, pull.number)}?said=opened"

    async def _archive(self, principal: Principal, task: Task) -> str:
        return _said(await self._services.tasks.archive(principal, task.id, True), "archived")

    async def _unarchive(self, principal: Principal, task: Task) -> str:
        return _said(await self._services.tasks.archive(principal, task.id, False), "unarchived")


def _heard(task: Task) -> str:
    """What became of a message to *task*, as it was before."""
    if task.session.ended:
        return "followed"
    if task.session.state is State.WAITING_FOR_USER:
        return "answered"
    return "resumed" if task.session.state is State.IDLE else "sent"


def _said(task: Task, word: str) -> str:
    return f"{addresses.task(task)}?said={word}"
