"""MCP servers elsewhere, made with the official SDK, spoken to through the firewall."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from journeyman.agent.customisation.servers import ServerSpec
from journeyman.agent.mcp.links import Remote
from journeyman.agent.mcp.server import Failed, Patience, Server
from journeyman.agent.mcp.tools import tools_of
from journeyman.sandbox import Network
from journeyman.sandbox.firewall import dial
from journeyman.sandbox.firewall.outside import Ways
from tests.e2e.server import free_port

LOCAL = ("127.0.0.0/8",)
QUICK = Patience(start_seconds=20.0, call_seconds=0.5)


def library() -> MCPServer:
    server = MCPServer("library")

    @server.tool()
    def find_book(title: str) -> dict[str, str]:
        """Where a book stands."""
        return {"title": title, "shelf": "B7"}

    @server.tool()
    async def wait() -> str:
        await asyncio.sleep(30)
        return "late"

    return server


class Heard:
    """*app*, whose requests' headers are kept; without the right one nobody is let in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
            allowed = (b"authorization", b"Bearer t0") in scope["headers"]
            if not allowed:
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"who are you?"})
                return
        await self._app(scope, receive, send)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", free_port()))
    config = uvicorn.Config(
        app, log_config=None, timeout_graceful_shutdown=0, ws="none", lifespan="on"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await serving
        listening.close()


async def started(kind: str, port: int, path: str, *, allow: str = "", key: str = "t0") -> Server:
    spec = ServerSpec(
        "library",
        kind,
        url=f"http://127.0.0.1:{port}{path}",
        headers={"Authorization": f"Bearer {key}"},
    )
    ways = Ways(Network((allow or f"127.0.0.1:{port}",), LOCAL), dial.Resolver())
    server = Server(spec, Remote(ways, spec), QUICK)
    await server.start()
    return server


@pytest.mark.parametrize(("kind", "path"), [("http", "/mcp"), ("sse", "/sse")])
async def test_its_tools_can_be_called(kind: str, path: str) -> None:
    made = library()
    app = Heard(made.streamable_http_app() if kind == "http" else made.sse_app())
    async with served(app) as port:
        server = await started(kind, port, path)
        tools, problems = tools_of([server])
        assert [tool.listed for tool in tools] == ["library/find_book", "library/wait"]
        assert not problems
        find, wait = tools
        said = await find.run(find.arguments.model_validate({"title": "Dune"}), lambda data: None)
        assert '"shelf": "B7"' in said.text
        with pytest.raises(Exception, match="did not answer within"):
            await wait.run(wait.arguments(), lambda data: None)
        assert (await find.run(find.arguments.model_validate({"title": "x"}), print)).success
        await server.close()
        assert path in app.paths


async def test_the_firewall_decides_and_a_refusal_is_told() -> None:
    app = Heard(library().streamable_http_app())
    async with served(app) as port:
        with pytest.raises(Failed, match="is not on the allowlist; add it to the repository"):
            await started("http", port, "/mcp", allow="other.example")
        assert not app.paths
        with pytest.raises(Failed, match="it answered 401"):
            await started("http", port, "/mcp", key="wrong")
        with pytest.raises(Failed, match="it answered 404"):
            await started("http", port, "/nowhere")


async def test_an_answer_of_many_megabytes_is_not_read() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        for _ in range(20):
            await send({"type": "http.response.body", "body": b" " * (1 << 20), "more_body": True})
        await send({"type": "http.response.body", "body": b"{}"})

    async with served(Heard(app)) as port:
        with pytest.raises(Failed, match=r"more than 8 MB"):
            await started("http", port, "/mcp")
