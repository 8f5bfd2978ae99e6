"""From a prompt with a Gitea token to a pull request that is ready, on a local Gitea."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from journeyman import app
from tests.conftest import configured
from tests.contract.openapi.validator import check
from tests.integration.forge.client import git, repository
from tests.peers.gitea.description import Description
from tests.peers.gitea.server import serving

pytestmark = [pytest.mark.npm, pytest.mark.sandbox, pytest.mark.engine]

URL = "http://journeyman.test"
WRITE = "Say it louder\n\n```sh\necho HELLO > loud.txt\n```"
TASKS = "/agents/repos/octo/app/tasks"
ENDED = ("completed", "failed", "timed_out", "cancelled")


async def test_a_prompt_becomes_a_pull_request_that_is_ready(
    gitea_description: Description, data: Path, tmp_path: Path
) -> None:
    async with serving(gitea_description, tmp_path / "gitea") as server:
        octo = server.state.add_user("octo")
        mallory = server.state.add_user("mallory")
        known = server.state.add_repository("octo/app", repository(tmp_path / "source"))
        secret, stranger = server.add_token(octo.login, "oauth"), server.add_token(mallory.login)
        config = configured(data, **{"forge.url": server.url, "forge.kind": "gitea"})
        async with app.parts(config, URL) as parts, app.working(parts, URL):
            transport = httpx.ASGITransport(app.asgi_app(parts, asyncio.Event()))
            headers = {"Authorization": f"Bearer {secret}"}
            client = httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)
            async with client:
                for path in ("/user", "/repos/octo/app"):
                    check("GET", path, (await client.get(path)).raise_for_status())
                assert (await client.get("/repos/octo/app/pulls")).status_code == 404
                asked = {"prompt": WRITE, "create_pull_request": True}
                refused = {"Authorization": f"Bearer {stranger}"}
                response = await client.post(TASKS, json=asked, headers=refused)
                assert response.status_code == 404, response.text
                response = await client.post(TASKS, json=asked)
                assert response.status_code == 201, response.text
                task = response.json()
                async with asyncio.timeout(60):
                    while task["state"] not in ENDED:
                        await asyncio.sleep(0.1)
                        task = (await client.get(f"{TASKS}/{task['id']}")).json()
                events = await client.get(f"/agents/tasks/{task['id']}/events?per_page=100")
        assert not server.problems, server.problems
    assert task["state"] == "completed", task
    assert task["creator"]["id"] == octo.id
    (pull,) = known.pulls
    artifacts = {artifact["type"]: artifact["data"] for artifact in task["artifacts"]}
    assert artifacts["pull"]["id"] == pull.id
    (opened,) = server.asked("POST .*/pulls$")
    assert json.loads(opened.body)["title"] == "WIP: Say it louder"
    assert (pull.title, pull.assignees) == ("Say it louder", [octo])
    assert "<summary>Original prompt</summary>" in pull.body
    assert git(known.bare, "show", f"{pull.head}:loud.txt") == "HELLO"
    assert secret not in events.text
    kept = [one for one in data.rglob("*") if one.is_file() and secret.encode() in one.read_bytes()]
    assert kept == []
