"""Browsers that are logged in to a wired process, and tasks with a past."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection
from starlette.types import ASGIApp

from journeyman import app
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import Reason, State
from journeyman.domain.tasks import NewTask, Task
from journeyman.service import changes
from journeyman.service.clock import utc_now
from journeyman.store import sessions
from tests.conftest import World

EVIL = "<script>alert('x')</script>"


@dataclass
class Site:
    world: World
    application: ASGIApp
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self) -> httpx.AsyncClient:
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.application),
            base_url="http://forge.test",
            headers={"Accept": "text/html"},
        )
        self.clients.append(made)
        return made

    async def logged_in(self, login: str) -> httpx.AsyncClient:
        made = self.browser()
        link = await self.world.parts.services.logins.create_link(login)
        page = await made.get(f"/login/link/{link}")
        sent = await made.post(f"/login/link/{link}", data={"csrf": csrf(page), "login": login})
        assert sent.status_code == 303, sent.text
        return made

    async def task(self, prompt: str = "Mend the test", login: str = "alice", **new: Any) -> Task:
        return await self.world.parts.services.tasks.create(
            await self.world.principal(login),
            await self.world.access(login),
            NewTask(prompt=prompt, **new),
        )

    async def tell(self, task: Task, *story: NewEvent | State) -> None:
        """Append to the log of the task's newest session, or move it to a state."""

        def write(tx: Connection) -> None:
            for part in story:
                session = sessions.get_session(tx, task.session.id)
                if isinstance(part, State):
                    reason = Reason.INTERNAL_ERROR if part is State.FAILED else None
                    self.world.parts.changes.state(tx, session, part, utc_now(), reason=reason)
                else:
                    changes.append(tx, session, [part], utc_now(), fence=None)

        await self.world.parts.database.write(write)
        self.world.parts.live.notify(task.id)


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    made = Site(world, app.asgi_app(world.parts, asyncio.Event()))
    yield made
    for client in made.clients:
        await client.aclose()


@pytest.fixture
async def alice(site: Site) -> httpx.AsyncClient:
    return await site.logged_in("alice")


def csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def page_of(task: Task, below: str = "") -> str:
    return f"/{task.repository.full_name}/agents/tasks/{task.id}{below}"


def tool_call(
    name: str, arguments: dict[str, Any], result: str, call_id: str = "c1", success: bool = True
) -> list[NewEvent]:
    return [
        NewEvent(
            EventType.TOOL_START,
            {"toolCallId": call_id, "toolName": name, "arguments": arguments},
        ),
        NewEvent(
            EventType.TOOL_COMPLETE,
            {
                "toolCallId": call_id,
                "toolName": name,
                "success": success,
                "result": {"content": result},
                "duration": 1500,
            },
        ),
    ]


def said(content: str, kind: EventType = EventType.MESSAGE, **more: Any) -> NewEvent:
    return NewEvent(kind, {"messageId": content[:20], "content": content, **more})
