"""A server on which nobody has ever logged in: the link that it prints."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from journeyman import app
from journeyman.administering import operating
from tests.conftest import Clock, configured
from tests.integration.signin.conftest import hidden, on_time, text_of


async def test_the_first_user_chooses_a_name_and_administers(data: Path, clock: Clock) -> None:
    async with app.parts(configured(data)) as parts:
        parts = on_time(parts, clock)
        logins = parts.services.logins
        secret, second = await logins.invite_first(), await logins.invite_first()
        assert secret
        transport = httpx.ASGITransport(app.asgi_app(parts, asyncio.Event()))
        async with httpx.AsyncClient(transport=transport, base_url="http://forge.test") as browser:
            address = f"/login/link/{secret}"
            page = await browser.get(address)
            assert "You are the first user" in text_of(page)
            for wrong in ("", "not a name", "login", "-x"):
                form = {**hidden(page), "login": wrong, "password": "a good password"}
                refused = await browser.post(address, data=form)
                assert refused.status_code == 422, wrong
            form = {**hidden(page), "login": "Ada", "password": "a good password"}
            assert (await browser.post(address, data=form)).status_code == 303
            assert "Ada" in text_of(await browser.get("/login"))
            late = {**form, "login": "eve"}
            assert (await browser.post(f"/login/link/{second}", data=late)).status_code in (
                403,
                422,
            )
        assert await logins.invite_first() is None
        account = await logins.log_in("ada", "a good password", "192.0.2.1")
        assert account.site_admin


async def test_an_administrator_without_a_password_is_invited(data: Path, clock: Clock) -> None:
    async with operating(configured(data)) as operator:
        await operator.administration.create_user("root")
        await operator.administration.create_user("bob")
    async with app.parts(configured(data)) as parts:
        logins = on_time(parts, clock).services.logins
        secret = await logins.invite_first()
        assert secret is not None
        link = await logins.find_link(secret)
        assert link.account is not None
        assert link.account.login == "root"
        assert (await logins.use_link(secret)).login == "root"
        with pytest.raises(Exception, match="has been used"):
            await logins.use_link(secret)
