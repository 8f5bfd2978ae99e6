"""`journeyman mcp` with the official SDK's own client, over both transports, against a server."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import JOURNEYMAN, Server, free_port
from tests.unit.cli.api import as_json, serving

ASKS = "Ask\n\n```sh\necho one > one.txt\n```"
TOOLS = {
    "start_task", "list_tasks", "view_task", "follow_task", "get_diff", "steer_task",
    "cancel_task", "list_models",
}  # fmt: skip


def over_stdio(server: Server, token: str, home: Path) -> McpClient:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "JOURNEYMAN_URL": server.url,
        "JOURNEYMAN_TOKEN": token,
    }
    started = StdioServerParameters(command=str(JOURNEYMAN), args=["mcp"], env=environment)
    return McpClient(stdio_client(started))


def text_of(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


async def answer_of(client: McpClient, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    content = result.structured_content
    return content["result"] if set(content) == {"result"} else content


async def test_a_server_that_is_away_is_told_and_found_again(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "JOURNEYMAN_URL": url,
        "JOURNEYMAN_TOKEN": "ghp_x",
    }
    started = StdioServerParameters(command=str(JOURNEYMAN), args=["mcp"], env=environment)
    with (tmp_path / "stderr").open("w+") as said:
        async with McpClient(stdio_client(started, said)) as client:
            refused = await client.call_tool("list_models", {})
            assert refused.is_error
            assert f"cannot reach {url}" in text_of(refused)
            with serving(port) as api:
                api.on("GET /agents/models", as_json({"models": []}))
                assert await answer_of(client, "list_models") == []
        said.seek(0)
        told = said.read()
    assert f"cannot reach {url}: is the server running? (journeyman serve)" in told


async def test_an_editor_hands_work_over(server: Server, token: str, tmp_path: Path) -> None:
    async with over_stdio(server, token, tmp_path) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        made = await answer_of(client, "start_task", repository=REPOSITORY, prompt=ASKS)
        assert made["state"] == "queued"
        followed = await answer_of(client, "follow_task", task_id=made["id"], wait_seconds=60)
        assert followed["settled"]
        assert followed["task"]["state"] == "completed"
        assert {made["type"] for made in followed["task"]["artifacts"]} >= {"pull"}
        assert "echo one > one.txt" in followed["log"]
        again = await answer_of(
            client, "follow_task", task_id=made["id"], after=followed["after"], wait_seconds=0
        )
        assert (again["log"], again["after"]) == ("", followed["after"])
        assert "+one" in await answer_of(client, "get_diff", task_id=made["id"])
        listed = await answer_of(client, "list_tasks", repository=REPOSITORY, state="completed")
        assert made["id"] in [task["id"] for task in listed]
        assert "script" in [model["id"] for model in await answer_of(client, "list_models")]


async def test_a_follow_up_and_a_cancel(server: Server, token: str, tmp_path: Path) -> None:
    async with over_stdio(server, token, tmp_path) as client:
        made = await answer_of(
            client, "start_task", repository=REPOSITORY, prompt="Wait\n\n```sh\nsleep 60\n```"
        )
        cancelled = await answer_of(client, "cancel_task", task_id=made["id"])
        followed = await answer_of(client, "follow_task", task_id=made["id"], wait_seconds=60)
        assert "cancelled" in {cancelled["state"], followed["task"]["state"]}
        await answer_of(client, "steer_task", task_id=made["id"], message=ASKS)
        followed = await answer_of(
            client, "follow_task", task_id=made["id"], after=followed["after"], wait_seconds=60
        )
        assert followed["task"]["state"] == "completed"


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("view_task", {"task_id": "0"}, "Not Found"),
        ("start_task", {"repository": "alice/nothing", "prompt": "x"}, "Not Found"),
        ("start_task", {"repository": "nothing", "prompt": "x"}, "repository"),
        (
            "start_task",
            {"repository": REPOSITORY, "prompt": "x", "base_ref": "nowhere"},
            "nowhere",
        ),
        ("list_tasks", {"state": "lost"}, "state"),
    ],
)
async def test_what_is_refused_says_why(
    server: Server,
    token: str,
    tmp_path: Path,
    tool: str,
    arguments: dict[str, Any],
    message: str,
) -> None:
    async with over_stdio(server, token, tmp_path) as client:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert message in text_of(result)


def test_without_a_token_it_does_not_start(server: Server, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "JOURNEYMAN_URL": server.url,
    }
    ended = subprocess.run(
        [JOURNEYMAN, "mcp"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "no token" in ended.stderr


@pytest.fixture
def over_http(server: Server, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JOURNEYMAN_URL": server.url}
    log = tmp_path / "mcp.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [JOURNEYMAN, "mcp", "--http", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for(port, process, log)
        yield lambda token: _http_client(f"http://127.0.0.1:{port}/mcp", token)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


@asynccontextmanager
async def _http_client(address: str, token: str) -> AsyncIterator[McpClient]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        McpClient(streamable_http_client(address, http_client=http)) as client,
    ):
        yield client


async def test_over_http_each_caller_has_its_own_token(
    over_http: Callable[[str], AbstractAsyncContextManager[McpClient]], token: str
) -> None:
    async with over_http(token) as client:
        assert await answer_of(client, "list_tasks", repository=REPOSITORY) is not None
    for wrong, message in (("", "no token"), ("ghp_wrong", "unknown, expired or revoked")):
        async with over_http(wrong) as client:
            result = await client.call_tool("list_tasks", {})
            assert result.is_error
            assert message in text_of(result)
