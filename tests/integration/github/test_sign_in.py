"""Logging in to the dashboard with an account of GitHub's, by its web flow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from journeyman import app
from journeyman.store.tables import web_session
from tests.integration.github.conftest import Service
from tests.integration.github.site import URL
from tests.peers.faulty import Fault
from tests.peers.github.server import GitHub

Browser = httpx.AsyncClient
GONE = (
    "/settings/tokens",
    "/settings/users",
    "/login/password",
    "/login/device",
    "/octo/app/pulls",
)


@pytest.fixture
def settings(github: GitHub) -> dict[str, str]:
    github.app.callback = f"{URL}/login/forge/callback"
    return {
        "forge.client_id": github.app.client_id,
        "forge.client_secret": github.app.client_secret,
    }


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(app.asgi_app(service.parts, asyncio.Event()))
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as made:
        yield made


async def sent_back(browser: Browser, begin: str = "/login/forge") -> str:
    """Through GitHub's page to the address that it sends the browser back to."""
    begun = await browser.get(begin)
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as outside:
        answer = await outside.get(begun.headers["location"])
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def log_in(browser: Browser, begin: str = "/login/forge") -> httpx.Response:
    return await browser.get(await sent_back(browser, begin))


def tokens_of(service: Service) -> list[str]:
    return [text for text in service.github.state.tokens if text.startswith("gho_")]


async def kept(service: Service) -> list[bytes]:
    found = await service.parts.database.read(
        lambda tx: list(tx.scalars(web_session.select().with_only_columns(web_session.c.secret)))
    )
    return [one for one in found if one is not None]


async def test_a_user_of_github_logs_in_starts_a_task_and_logs_out(
    service: Service, browser: Browser
) -> None:
    first = await browser.get("/agents?state=failed")
    assert first.headers["location"] == "/login?return_to=%2Fagents%3Fstate%3Dfailed"
    page = await browser.get(first.headers["location"])
    assert "Log in with GitHub" in page.text
    begin = re.search(r'href="(/login/forge[^"]*)"', page.text)
    assert begin is not None
    back = await log_in(browser, begin[1].replace("&amp;", "&"))
    assert (back.status_code, back.headers["location"]) == (303, "/agents?state=failed")
    (token,) = tokens_of(service)
    assert token not in str(browser.cookies)
    (sealed,) = await kept(service)
    assert token.encode() not in sealed
    # The repository is GitHub's, and nobody has asked for it here before.
    form = (await browser.get("/agents/new")).text
    assert "octo/app" in form
    proof = re.search(r'name="csrf" value="([^"]+)"', form)
    assert proof is not None
    sent = {"csrf": proof[1], "repository": "octo/app", "prompt": "Mend it", "model": "script"}
    started = await browser.post("/agents/new", data=sent)
    assert started.status_code == 303, started.text
    task = await browser.get(started.headers["location"])
    assert task.status_code == 200
    assert "Mend it" in (await browser.get("/agents")).text
    await browser.post("/logout", data={"csrf": proof[1]})
    assert (await browser.get("/agents")).headers["location"].startswith("/login")
    assert await kept(service) == []


async def test_who_presses_cancel_is_told_and_may_try_again(
    service: Service, browser: Browser
) -> None:
    service.github.app.denies = True
    page = await log_in(browser, "/login/forge?return_to=/agents/new")
    assert page.status_code == 422
    assert "The user has denied your application access." in page.text
    assert "/login/forge?return_to=%2Fagents%2Fnew" in page.text


@pytest.mark.parametrize("target", ["//evil.test", "https://evil.test/", "/\\evil.test"])
async def test_one_is_sent_to_no_other_host(
    service: Service, browser: Browser, target: str
) -> None:
    back = await log_in(browser, str(httpx.URL("/login/forge", params={"return_to": target})))
    assert back.headers["location"] == "/agents"


async def test_a_login_that_began_elsewhere_is_refused(service: Service, browser: Browser) -> None:
    """As when an attacker gets somebody to open the end of the attacker's own login."""
    await browser.get("/login")
    transport = httpx.ASGITransport(app.asgi_app(service.parts, asyncio.Event()))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as attacker:
        address = await sent_back(attacker)
    assert (await browser.get(address)).status_code == 403
    assert tokens_of(service) == []
    asked = parse_qs(urlsplit(await sent_back(browser)).query)
    for state in ("", "x", asked["state"][0][:-1] + "x"):
        answer = await browser.get(
            "/login/forge/callback", params={"code": asked["code"][0], "state": state}
        )
        assert answer.status_code == 403


async def test_a_code_is_taken_once_and_only_with_its_verifier(
    service: Service, browser: Browser
) -> None:
    address = await sent_back(browser)
    assert (await browser.get(address)).status_code == 303
    again = await browser.get(address)
    assert again.status_code == 403  # logging in has made a new session
    one, other = await sent_back(browser), await sent_back(browser)
    code, state = (parse_qs(urlsplit(url).query) for url in (one, other))
    mixed = await browser.get(
        "/login/forge/callback", params={"code": code["code"][0], "state": state["state"][0]}
    )
    assert mixed.status_code == 422
    assert "incorrect or expired" in mixed.text


@pytest.mark.parametrize("status", [500, 0])
async def test_github_that_does_not_answer_is_told(
    service: Service, browser: Browser, status: int
) -> None:
    address = await sent_back(browser)
    service.github.faults.append(Fault("POST /login/oauth/access_token", status))
    page = await browser.get(address)
    assert page.status_code == 422
    assert "GitHub" in page.text
