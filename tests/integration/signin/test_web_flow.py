"""The web flow: an app sends the browser, the user agrees, the app gets a code for a token."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from journeyman.domain.oauth import App
from tests.integration.signin.conftest import JSON, Site, hidden, query_of, text_of

BACK = "https://gadget.example/back"
VERIFIER = "+/v=" * 11
"""Of base64's alphabet, which git-credential-oauth takes instead of RFC 7636's own."""
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
TOKEN = "/login/oauth/access_token"


def question(app: App, **more: str) -> str:
    asked = {"client_id": app.client_id, "scope": "repo", "state": "é&x=1", **more}
    return "/login/oauth/authorize?" + urlencode(asked)


async def decide(site: Site, address: str, decision: str = "approve") -> httpx.Response:
    browser = await site.browser("alice")
    page = await browser.get(address)
    assert page.status_code == 200, text_of(page)
    return await browser.post(address, data={**hidden(page), "decision": decision})


async def code_for(site: Site, address: str) -> str:
    return query_of((await decide(site, address)).headers["location"])["code"]


async def exchange(site: Site, **fields: Any) -> Any:
    auth = fields.pop("auth", None)
    answer = await site.client().post(TOKEN, data=fields, headers=JSON, auth=auth)
    assert answer.status_code == 200
    return answer.json()


async def test_an_app_with_a_secret_gets_a_token(site: Site) -> None:
    app, secret = await site.register(callback_urls=(BACK,))
    address = question(app, redirect_uri=f"{BACK}/deeper?keep=1")
    decided = await decide(site, address)
    assert decided.status_code == 303
    location = decided.headers["location"]
    assert location.startswith(f"{BACK}/deeper?keep=1&code=")
    assert query_of(location)["state"] == "é&x=1"
    fields = {
        "client_id": app.client_id,
        "client_secret": secret,
        "code": query_of(location)["code"],
    }
    token = await exchange(site, **fields)
    assert token["scope"] == "repo"
    assert await site.user_of(token["access_token"]) == 200
    again = await exchange(site, **fields)
    assert again["error"] == "bad_verification_code", "a code works once"


async def test_the_question_says_who_and_what_in_words(site: Site) -> None:
    app, _ = await site.register(callback_urls=(BACK,))
    page = await (await site.browser("alice")).get(question(app, scope="repo user:email nonsense"))
    said = text_of(page)
    assert "Allow Gadget to act as alice" in said
    assert "private ones too, and run agent tasks" in said
    assert "Read your mail addresses" in said
    assert "nonsense" not in said
    assert BACK in said
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://gadget.example" in policy
    assert "script" not in policy
    assert "<script" not in page.text


async def test_who_says_no_is_sent_back_without_a_code(site: Site) -> None:
    app, _ = await site.register(callback_urls=(BACK,))
    back = query_of((await decide(site, question(app), "deny")).headers["location"])
    assert back["error"] == "access_denied"
    assert back["state"] == "é&x=1"
    assert "code" not in back


async def test_who_is_not_logged_in_logs_in_first_and_comes_back(site: Site) -> None:
    app, _ = await site.register(callback_urls=(BACK,))
    browser = site.client()
    sent = await browser.get(question(app))
    assert sent.status_code == 303
    login = await browser.get(sent.headers["location"])
    form = {**hidden(login), "login": "Alice", "password": "correct horse battery"}
    back = await browser.post("/login", data=form)
    assert back.headers["location"] == question(app)


@pytest.mark.parametrize(
    ("registered", "asked", "fine"),
    [
        (BACK, BACK, True),
        (BACK, f"{BACK}/below", True),
        (BACK, "https://gadget.example/backwards", False),
        (BACK, "https://gadget.example/", False),
        (BACK, "https://evil.example/back", False),
        (BACK, "https://gadget.example.evil.example/back", False),
        (BACK, "https://gadget.example:444/back", False),
        (BACK, "http://gadget.example/back", False),
        (BACK, "https://gadget.example@evil.example/back", False),
        (BACK, "https://gadget.example/back/../../evil", False),
        (BACK, "https://gadget.example/back/%2e%2e/evil", False),
        (BACK, "https://gadget.example\\@evil.example/back", False),
        (BACK, "//evil.example/back", False),
        (BACK, "javascript:alert(1)", False),
        (BACK, f"{BACK}#x", False),
        ("http://127.0.0.1/", "http://127.0.0.1:44511", True),
        ("http://127.0.0.1/callback", "http://127.0.0.1:1/callback", True),
        ("http://127.0.0.1/callback", "http://localhost:1/callback", False),
        ("http://[::1]/", "http://[::1]:44511/", True),
        ("http://127.0.0.1/", "http://127.0.0.1.evil.example/", False),
        ("vscode://gadget/back", "vscode://gadget/back", True),
        ("vscode://gadget/back", "vscode://gadget/other", False),
    ],
)
async def test_a_browser_is_sent_to_registered_places_only(
    site: Site, registered: str, asked: str, fine: bool
) -> None:
    app, _ = await site.register(callback_urls=(registered,))
    page = await (await site.browser("alice")).get(question(app, redirect_uri=asked))
    if fine:
        assert page.status_code == 200
        return
    assert page.status_code == 303
    assert page.headers["location"].startswith(f"{registered}?error=redirect_uri_mismatch")


async def test_an_app_that_is_not_there_sends_nobody_anywhere(site: Site) -> None:
    address = "/login/oauth/authorize?client_id=x&redirect_uri=https://evil.example"
    page = await (await site.browser("alice")).get(address)
    assert page.status_code == 404
    assert "location" not in page.headers


async def test_a_program_without_a_secret_proves_itself_with_pkce(site: Site) -> None:
    app, secret = await site.register(callback_urls=("http://127.0.0.1/",), public=True)
    assert secret is None
    place = "http://127.0.0.1:44511"
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    address = question(app, redirect_uri=place, **proof)
    basic = (app.client_id, "")
    for wrong in ({}, {"code_verifier": "w" * 43}, {"code_verifier": "short"}):
        code = await code_for(site, address)
        refused = await exchange(site, code=code, redirect_uri=place, auth=basic, **wrong)
        assert refused["error"] == "bad_verification_code"
    code = await code_for(site, address)
    token = await exchange(
        site, code=code, redirect_uri=place, auth=basic, code_verifier=VERIFIER,
        grant_type="authorization_code",
    )  # fmt: skip
    assert await site.user_of(token["access_token"]) == 200


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
async def test_a_program_without_a_secret_or_a_good_proof_is_sent_back(
    site: Site, proof: dict[str, str]
) -> None:
    app, _ = await site.register(callback_urls=(BACK,), public=True)
    page = await (await site.browser("alice")).get(question(app, **proof))
    assert query_of(page.headers["location"])["error"] == "invalid_request"


async def test_every_error_has_githubs_name(site: Site) -> None:
    app, secret = await site.register(callback_urls=(BACK,))
    other, other_secret = await site.register(callback_urls=(BACK,))
    right = {"client_id": app.client_id, "client_secret": secret}
    code = await code_for(site, question(app))
    for wrong in ("", "x", other_secret):
        refused = await exchange(site, client_id=app.client_id, client_secret=wrong, code=code)
        assert refused["error"] == "incorrect_client_credentials"
    theirs = {"client_id": other.client_id, "client_secret": other_secret, "code": code}
    assert (await exchange(site, **theirs))["error"] == "bad_verification_code"
    assert (await exchange(site, **right))["error"] == "bad_verification_code"
    assert (await exchange(site, **right, code="0" * 20))["error"] == "bad_verification_code"
    moved = await exchange(site, **right, code=code, redirect_uri="https://evil.example")
    assert moved["error"] == "redirect_uri_mismatch"
    odd = await exchange(site, **right, grant_type="client_credentials")
    assert odd["error"] == "unsupported_grant_type"
    site.clock.advance(601)
    assert (await exchange(site, **right, code=code))["error"] == "bad_verification_code"


async def test_no_other_site_can_answer_for_the_user(site: Site) -> None:
    app, _ = await site.register(callback_urls=(BACK,))
    browser, other = await site.browser("alice"), await site.browser("bob")
    form = {**hidden(await browser.get(question(app))), "decision": "approve"}
    theirs = {**hidden(await other.get(question(app))), "decision": "approve"}
    for sent, headers in (
        ({"decision": "approve"}, {}),
        (theirs, {}),
        (form, {"Sec-Fetch-Site": "cross-site"}),
    ):
        refused = await browser.post(question(app), data=sent, headers=headers)
        assert refused.status_code == 403
        assert "location" not in refused.headers
    assert (await browser.post(question(app), data=form)).status_code == 303
