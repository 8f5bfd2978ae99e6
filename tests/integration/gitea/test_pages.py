"""The dashboard when a Gitea is the forge: every page that one is led to is there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from journeyman import app
from tests.conftest import configured
from tests.integration.forge.client import repository
from tests.peers.gitea.description import Description
from tests.peers.gitea.server import serving

pytestmark = pytest.mark.npm

URL = "http://journeyman.test"
LINK = re.compile(r'(?:href|action)="(/[^"?#]*)')


async def test_no_link_of_the_pages_leads_nowhere(
    gitea_description: Description, data: Path, tmp_path: Path
) -> None:
    async with serving(gitea_description, tmp_path / "gitea") as server:
        octo = server.state.add_user("octo")
        server.state.add_repository("octo/app", repository(tmp_path / "source"))
        config = configured(data, **{"forge.url": server.url, "forge.kind": "gitea"})
        async with app.parts(config, URL) as parts:
            transport = httpx.ASGITransport(app.asgi_app(parts, asyncio.Event()))
            headers = {"Accept": "text/html"}
            client = httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)
            async with client as browser:
                sent = {"csrf": _csrf(await browser.get("/login"))}
                sent |= {"token": server.add_token(octo.login), "return_to": "/octo/app/agents/new"}
                entered = await browser.post("/login", data=sent)
                assert entered.headers["location"] == "/octo/app/agents/new"
                form = await browser.get(entered.headers["location"], follow_redirects=True)
                asked = {"csrf": _csrf(form), "repository": "octo/app", "prompt": "Say hello"}
                made = await browser.post("/agents/new", data=asked)
                assert made.status_code == 303, made.text
                shown = await _walk(browser, made.headers["location"])
                led = await browser.get("/octo/app/pulls/3")
                assert led.headers["location"] == f"{server.url}/octo/app/pulls/3"
        assert not server.problems, server.problems
    task = made.headers["location"].partition("?")[0]
    assert {"/agents", "/agents/new", "/agents/overview", "/octo/app/agents"} <= shown
    assert {task, f"{task}/changes", f"{task}/log", "/settings/repositories"} <= shown
    assert {"/octo/app/settings", "/octo/app/settings/hooks/new", "/logout"} <= shown


async def _walk(browser: httpx.AsyncClient, start: str) -> set[str]:
    """The paths of all pages that pages lead to, from *start*."""
    seen, ahead = set[str](), [start.partition("?")[0]]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        page = await browser.get(path)
        assert page.status_code in (200, 303), (path, page.status_code, page.text[:2000])
        if page.headers.get("content-type", "").startswith("text/html"):
            ahead += LINK.findall(page.text)
        if (to := page.headers.get("location", "")).startswith("/"):
            ahead.append(to.partition("?")[0])
    return seen


def _csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]
