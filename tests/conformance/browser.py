"""What a person does in a browser: log in by a one-time link, type a device's code, agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.e2e.server import Server, journeyman


class Hidden(HTMLParser):
    """The hidden fields of a page's forms; the last of a name counts."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden" and given.get("name"):
            self.found[str(given["name"])] = given.get("value") or ""


@contextmanager
def logged_in(server: Server, user: str) -> Iterator[httpx.Client]:
    link = journeyman("user", "link", user, "--url", server.url, data=server.data)
    with httpx.Client(base_url=server.url, timeout=30) as browser:
        address = link.stdout.strip()
        sent = browser.post(address, data=Hidden(browser.get(address)).found)
        assert sent.status_code == 303
        yield browser


def enter_code(browser: httpx.Client, code: str) -> None:
    form = Hidden(browser.get("/login/device")).found
    asked = browser.post("/login/device", data={**form, "user_code": code})
    form = {**Hidden(asked).found, "decision": "approve"}
    assert browser.post("/login/device", data=form).status_code == 200


def agree(browser: httpx.Client, address: str) -> str:
    """Where the browser is sent, once the user lets the app behind *address* act."""
    page = browser.get(address)
    assert page.status_code == 200, page.headers
    sent = browser.post(address, data={**Hidden(page).found, "decision": "approve"})
    assert sent.status_code == 303
    return sent.headers["location"]


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))
