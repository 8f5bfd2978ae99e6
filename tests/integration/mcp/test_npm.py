"""A real MCP server from npm, fetched and started by npx in a sandbox, through the firewall."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from journeyman.agent.customisation.servers import ServerSpec
from journeyman.agent.mcp.links import Local
from journeyman.agent.mcp.server import Patience, Server
from journeyman.agent.mcp.tools import tools_of
from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.provisions import Options, Provisions
from tests.integration.sandbox.requirement import require
from tests.integration.sandbox.test_provisions import ranges

pytestmark = [pytest.mark.sandbox, pytest.mark.npm]

PACKAGE = "@modelcontextprotocol/server-everything@2026.8.31"


async def test_the_reference_server_works(tmp_path: Path) -> None:
    if shutil.which("npx") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    backend = await require(Bubblewrap())
    rules = (await Provisions(Options()).provision()).mcp
    assert rules is not None
    given = await Provisions(Options(allowed_networks=ranges(rules.allow))).provision()
    spec = SandboxSpec(
        "everything",
        tmp_path / "session",
        network=given.mcp,
        env=given.env,
        files=given.files,
        folders=given.folders,
    )
    box = await backend.start(spec)
    server = Server(
        asked := ServerSpec("everything", "local", command="npx", args=("-y", PACKAGE)),
        Local(box, asked),
        Patience(start_seconds=100.0),
    )
    try:
        await server.start()
        tools, problems = tools_of([server])
        assert not problems
        by_name = {tool.listed: tool for tool in tools}
        add = by_name["everything/get-sum"]
        said = await add.run(add.arguments.model_validate({"a": 1, "b": 2}), lambda data: None)
        assert "The sum of 1 and 2 is 3" in said.text
        picture = by_name["everything/get-tiny-image"]
        assert (await picture.run(picture.arguments(), lambda data: None)).images
    finally:
        await server.close()
        await box.close()
        await backend.remove(spec.directory)
