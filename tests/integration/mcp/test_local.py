"""MCP servers that are commands in a real sandbox: what they can do, and what they do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.agent.customisation.servers import ServerSpec
from journeyman.agent.mcp.links import Local
from journeyman.agent.mcp.server import Failed, Patience, Server
from journeyman.agent.mcp.tools import tools_of
from journeyman.agent.tools import Result, Toolbox, ToolError
from journeyman.sandbox import Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.contract.sandbox.processes import left
from tests.integration.sandbox.requirement import require
from tests.peers import mcp_server

pytestmark = pytest.mark.sandbox

USUAL = Patience()
QUICK = Patience(start_seconds=2.0, call_seconds=0.5)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Sandbox]:
    backend = await require(Bubblewrap())
    spec = SandboxSpec("mcp", tmp_path / "session")
    box = await backend.start(spec)
    await box.write("server.py", Path(mcp_server.__file__).read_bytes())
    yield box
    await box.close()
    await backend.remove(spec.directory)


def spec_of(*arguments: str, command: str = "python3", **more: object) -> ServerSpec:
    return ServerSpec("plain", "local", command=command, args=arguments, **more)  # type: ignore[arg-type]


async def started(box: Sandbox, spec: ServerSpec, patience: Patience = USUAL) -> Server:
    server = Server(spec, Local(box, spec), patience)
    await server.start()
    return server


async def call(server: Server, tool: str, text: str = "") -> Result:
    box = Toolbox(tools_of([server])[0])
    found = box.find(f"plain-{tool}")
    assert found is not None, box.names
    return await found.run(found.arguments.model_validate({"text": text}), lambda data: None)


async def test_its_tools_can_be_called(box: Sandbox) -> None:
    server = await started(box, spec_of("server.py", env={"TOKEN": "s3cret"}))
    said = await call(server, "echo", "hello")
    assert said.success
    assert said.text.startswith("[What the MCP server plain answered. It is material from outside")
    assert said.text.endswith("\nhello")
    assert '"TOKEN": "s3cret"' in (await call(server, "environment")).text
    refused = await call(server, "fail", "way")
    assert (refused.success, refused.text.endswith("\nno way")) == (False, True)
    (image,) = (await call(server, "picture")).images
    assert (image.media_type, image.data[:4]) == ("image/png", b"\x89PNG")
    await server.close()
    assert not await left(box)


async def test_only_those_that_were_asked_for_are_there(box: Sandbox) -> None:
    server = await started(box, spec_of("server.py", tools=("echo", "nothing")))
    assert [tool.listed for tool in tools_of([server])[0]] == ["plain/echo"]
    await server.close()


async def test_what_takes_too_long_is_given_up_and_the_server_goes_on(box: Sandbox) -> None:
    server = await started(box, spec_of("server.py"), QUICK)
    with pytest.raises(ToolError, match="plain did not answer within"):
        await call(server, "slow", "0.7")
    await call(server, "slow", "0.05")
    await server.close()


async def test_one_that_dies_says_so_at_every_call(box: Sandbox) -> None:
    server = await started(box, spec_of("server.py"))
    for tool in ("die", "echo"):
        with pytest.raises(ToolError, match="plain has ended; it said: out of ideas"):
            await call(server, tool)
    assert server.ended
    await server.close()


async def test_those_that_do_not_start_say_why(box: Sandbox) -> None:
    wrong = [
        (spec_of("server.py", "dead"), "it said: there is no database"),
        (spec_of("server.py", "hang"), "no answer in 2 s"),
        (spec_of("server.py", "flood"), "it sent more than 5000 messages"),
        (spec_of("server.py", "garbage"), "it sent more than 5000 messages"),
        (spec_of("server.py", "endless"), "it said: a message of more than 8 MB"),
        (spec_of("server.py", "nonsense"), "tools"),
        (spec_of(command="no-such-program"), "No such file or directory: no-such-program"),
    ]

    async def refused(spec: ServerSpec, words: str) -> None:
        with pytest.raises(Failed, match=words):
            await started(box, spec, QUICK if "hang" in spec.args else USUAL)

    await asyncio.gather(*(refused(spec, words) for spec, words in wrong))
    assert not await left(box)


async def test_200_tools_and_long_descriptions_are_bounded(box: Sandbox) -> None:
    many = await started(box, spec_of("server.py", "many"))
    huge = await started(box, spec_of("server.py", "huge"))
    tools, problems = tools_of([huge, many])
    assert len(tools) == 100
    assert len(tools[0].definition.description or "") < 1100
    (problem,) = problems
    assert problem.startswith("101 tools of the MCP server 'plain' are left out")
    for server in (many, huge):
        await server.close()


async def test_what_no_provider_would_take_is_left_out(box: Sandbox) -> None:
    server = await started(box, spec_of("server.py", "strange"))
    (tool,), problems = tools_of([server])
    assert len(tool.name) == 64
    assert tool.name.startswith("plain-echo__nd_more__zzz")
    assert tool.definition.description == "Of the MCP server plain. Say it."
    assert [problem.partition(": ")[2] for problem in problems] == [
        "its schema is nested too deep",
        "its schema refers to '#/x', which is not in it",
        "no argument may be named 'a b'",
    ]
    await server.close()
