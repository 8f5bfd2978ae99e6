"""The live log of a task's page."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from journeyman.domain.repositories import Permission
from journeyman.web.dashboard import Dashboard
from tests.unit.web.conftest import Site, page_of, said


class Reader:
    def __init__(self) -> None:
        self.text = ""

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.text += message.get("body", b"").decode()

    async def sees(self, text: str) -> None:
        async with asyncio.timeout(5):
            while text not in self.text:
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("lost", ["session", "access"])
async def test_an_open_stream_ends_with_the_right_to_it(site: Site, lost: str) -> None:
    task, bob = await site.task(), await site.logged_in("bob")
    await site.tell(task, said("Hello."))
    services, reader = site.world.parts.services, Reader()
    dashboard = Dashboard(services, stopping=asyncio.Event(), heartbeat_seconds=0.02)
    cookies = "; ".join(f"{name}={value}" for name, value in bob.cookies.items())
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": page_of(task, "/stream"),
        "query_string": b"",
        "headers": [(b"host", b"forge.test"), (b"cookie", cookies.encode())],
    }
    reading = asyncio.create_task(dashboard(scope, reader.receive, reader.send))
    await reader.sees("Hello.")
    await reader.sees(": still here\n\n: still here\n\n")
    if lost == "session":
        session_id = bob.cookies["journeyman"].partition(".")[0]
        await services.logins.end_session(session_id)
    else:
        await site.world.administration.grant("alice/hello", "bob", Permission.NONE)
    async with asyncio.timeout(5):
        await reading
    assert "event: over" not in reader.text
