"""A site whose time the test moves on, with users who have passwords, and browsers for them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.types import ASGIApp

from journeyman import app
from journeyman.administering import operating
from journeyman.domain.oauth import App
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.service import Services
from journeyman.service.administration import Administration
from journeyman.service.apps import Apps, NewApp
from journeyman.service.consents import Consents
from journeyman.service.identity import Identity
from journeyman.service.logins import Logins
from journeyman.service.oauth import OAuth
from journeyman.service.records import StoredRecords
from tests.conftest import Clock, configured
from tests.contract.openapi import validator

HOST = "http://forge.test"
PASSWORD = "correct horse battery"
GH = "178c6fc778ccc68e1d6a"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JSON = {"Accept": "application/json"}


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name") and given.get("type") == "hidden":
            self.found[str(given["name"])] = given.get("value") or ""


def hidden(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's form; those of `main` win over the header's."""
    parser = _Inputs()
    parser.feed(page.text)
    return parser.found


def text_of(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def validate(answer: httpx.Response) -> None:
    """What the API answers is held against its description; pages and git have none."""
    await answer.aread()
    if "json" in answer.headers.get("content-type", "") and "/login/" not in answer.url.path:
        path = answer.request.url.raw_path.decode()
        validator.check(answer.request.method, path, answer)


@dataclass
class Site:
    services: Services
    administration: Administration
    application: ASGIApp
    clock: Clock
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, base: str = HOST) -> httpx.AsyncClient:
        """A program or a browser: it keeps cookies and follows nothing by itself."""
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.application),
            base_url=base,
            event_hooks={"response": [validate]},
        )
        self.clients.append(made)
        return made

    async def browser(self, user: str) -> httpx.AsyncClient:
        """With *user* logged in, by a link: a password takes long to check."""
        made = self.client()
        address = f"/login/link/{await self.services.logins.create_link(user)}"
        sent = await made.post(address, data=hidden(await made.get(address)))
        assert sent.status_code == 303, text_of(sent)
        return made

    async def register(self, **how: object) -> tuple[App, str | None]:
        return await self.services.apps.create(NewApp(**{"name": "Gadget", **how}))  # type: ignore[arg-type]

    async def user_of(self, token: str) -> int:
        """The status of `GET /user` with *token*."""
        headers = {"Authorization": f"token {token}"}
        return (await self.client().get("/user", headers=headers)).status_code

    async def approve(self, user: str, user_code: str, decision: str = "approve") -> httpx.Response:
        """What a user does on the device page."""
        browser = await self.browser(user)
        form = hidden(await browser.get("/login/device"))
        asked = await browser.post("/login/device", data={**form, "user_code": user_code})
        return await browser.post("/login/device", data={**hidden(asked), "decision": decision})


@pytest.fixture(scope="session")
def with_users(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A data directory with alice and bob, to be copied: their passwords take long to hash."""

    data = Path(shutil.copytree(migrated, tmp_path_factory.mktemp("users") / "data"))

    async def fill() -> None:
        async with operating(configured(data)) as operator:
            for user in ("alice", "bob"):
                await operator.administration.create_user(user)
            for user in ("alice", "bob"):
                await operator.logins.set_password(user, PASSWORD)

    asyncio.run(fill())
    return data


def on_time(parts: app.Parts, clock: Clock) -> app.Parts:
    """The same process, with a time of the test's own."""
    database = parts.database
    forge = EmbeddedForge(
        StoredRecords(database, clock), parts.config.data / "repositories", clock=clock
    )
    services = replace(
        parts.services,
        identity=Identity(forge),
        oauth=OAuth(database, tokens, clock=clock),
        consents=Consents(database, tokens, clock=clock),
        apps=Apps(database, tokens, clock=clock),
        logins=Logins(database, clock=clock),
    )
    return replace(parts, services=services)


@pytest.fixture
async def site(tmp_path: Path, with_users: Path, clock: Clock) -> AsyncIterator[Site]:

    data = Path(shutil.copytree(with_users, tmp_path / "data"))
    async with app.parts(configured(data)) as parts:
        timed = on_time(parts, clock)
        administration = Administration(parts.database, parts.embedded, tokens, clock=clock)
        application = app.asgi_app(timed, asyncio.Event())
        made = Site(timed.services, administration, application, clock)
        yield made
        for client in made.clients:
            await client.aclose()


def query_of(address: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
