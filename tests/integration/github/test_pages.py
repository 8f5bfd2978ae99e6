"""The pages when a GitHub is the forge: logging in with a token, and seeing what it may."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from journeyman import app
from journeyman.store.tables import web_session
from tests.integration.github.conftest import Service
from tests.integration.github.site import URL

pytestmark = pytest.mark.npm


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app.asgi_app(service.parts, asyncio.Event()))
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as made:
        yield made


async def log_in(browser: httpx.AsyncClient, token: str, to: str = "") -> httpx.Response:
    page = await browser.get(f"/login?return_to={to}")
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    sent = {"csrf": found[1], "token": token, "return_to": to}
    return await browser.post("/login", data=sent)


async def test_a_link_from_a_pull_request_leads_to_the_task(
    service: Service, browser: httpx.AsyncClient
) -> None:
    task = await service.create("Say hello")
    page = f"/octo/app/agents/tasks/{task['id']}"
    asked = await browser.get(page)
    assert asked.headers["location"].startswith("/login?return_to=")
    entered = await log_in(browser, service.tokens["bob"], page)
    assert (entered.status_code, entered.headers["location"]) == (303, page)
    assert "Say hello" in (await browser.get(page)).text
    listed = await browser.get("/agents")
    assert "Say hello" in listed.text
    led = (await browser.get("/octo/app/pulls/3")).headers["location"]
    assert led == f"{service.github.url}/octo/app/pull/3"
    for path in ("/agents/new", "/agents/overview", "/settings/repositories", "/octo/app/settings"):
        assert (await browser.get(path)).status_code == 200, path


async def test_who_may_not_see_a_repository_sees_nothing_of_it(
    service: Service, browser: httpx.AsyncClient
) -> None:
    task = await service.create("Say hello")
    await log_in(browser, service.tokens["mallory"])
    assert (await browser.get(f"/octo/app/agents/tasks/{task['id']}")).status_code == 404
    for path in ("/agents", "/agents/new", "/settings/repositories", "/agents/overview"):
        shown = await browser.get(path)
        assert "octo/app" not in shown.text, path


async def test_a_task_is_started_with_the_token_of_who_logged_in(
    service: Service, browser: httpx.AsyncClient
) -> None:
    await service.create("First")
    await log_in(browser, service.tokens["octo"])
    form = await browser.get("/octo/app/agents/new", follow_redirects=True)
    found = re.search(r'name="csrf" value="([^"]+)"', form.text)
    assert found is not None
    sent = {"csrf": found[1], "repository": "octo/app", "prompt": "From the page"}
    made = await browser.post("/agents/new", data=sent)
    assert made.status_code == 303, made.text
    assert "From the page" in (await browser.get(made.headers["location"])).text


async def test_a_bad_token_does_not_log_in_and_one_that_ends_logs_out(
    service: Service, browser: httpx.AsyncClient
) -> None:
    refused = await log_in(browser, "ghp_" + "a" * 36)
    assert (refused.status_code, "Bad credentials" in refused.text) == (422, True)
    refused = await log_in(browser, "ghs_" + "a" * 36)
    assert "not accessible by integration" in refused.text
    token = service.github.state.add_token("octo")
    await log_in(browser, token)
    kept = await service.parts.database.read(
        lambda tx: tx.scalars(web_session.select().with_only_columns(web_session.c.secret)).all()
    )
    assert kept[-1] is not None
    assert token.encode() not in kept[-1]
    form = await browser.get("/logout")
    found = re.search(r'name="csrf" value="([^"]+)"', form.text)
    assert found is not None
    await browser.post("/logout", data={"csrf": found[1]})
    assert (await browser.get("/agents")).status_code == 303
    kept = await service.parts.database.read(
        lambda tx: tx.scalars(web_session.select().with_only_columns(web_session.c.secret)).all()
    )
    assert [one for one in kept if one] == []
