"""The pages as a browser without JavaScript uses them, and what an attacker would try."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.integration.signin.conftest import HOST, PASSWORD, Site, hidden, text_of

COOKIE = "journeyman"
OTHER = "another good password"


async def log_in(
    browser: httpx.AsyncClient, user: str, password: str, **more: str
) -> httpx.Response:
    form = hidden(await browser.get("/login"))
    return await browser.post("/login", data={**form, "login": user, "password": password, **more})


def logged_in_as(page: httpx.Response) -> str | None:
    found = re.search(r'<span class="login">([^<]*)</span>', page.text)
    return found[1] if found else None


async def test_the_right_password_logs_in_and_out(site: Site) -> None:
    browser = site.client()
    sent = await log_in(browser, "ALICE", PASSWORD)
    assert (sent.status_code, sent.headers["location"]) == (303, "/agents")
    page = await browser.get("/login")
    assert logged_in_as(page) == "alice"
    cookie = browser.cookies[COOKIE]
    form = hidden(await browser.get("/logout"))
    assert (await browser.post("/logout", data=form)).status_code == 303
    assert logged_in_as(await browser.get("/login")) is None
    browser.cookies.clear()
    browser.cookies.set(COOKIE, cookie, domain="forge.test")
    assert logged_in_as(await browser.get("/login")) is None, "the session itself has ended"


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("", ""), ("é\0", "x")],
)
async def test_a_wrong_password_and_an_unknown_user_look_alike(
    site: Site, user: str, password: str
) -> None:
    sent = await log_in(site.client(), user, password)
    assert sent.status_code == 422
    assert "The user name or the password is wrong." in text_of(sent)


async def test_logging_in_makes_a_new_session(site: Site) -> None:
    """Nobody can plant a session id of theirs and wait for its owner to log in."""
    browser = site.client()
    await browser.get("/login")
    planted = browser.cookies[COOKIE]
    await log_in(browser, "alice", PASSWORD)
    assert browser.cookies[COOKIE] != planted
    attacker = site.client()
    attacker.cookies.set(COOKIE, planted, domain="forge.test")
    assert logged_in_as(await attacker.get("/login")) is None


async def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    plain = (await site.client().get("/login")).headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "secure" not in plain
    secure = (await site.client("https://forge.test").get("/login")).headers["set-cookie"]
    assert secure.startswith("__Host-journeyman=")
    assert "Secure" in secure
    assert "Domain" not in secure


@pytest.mark.parametrize("how", ["cut", "forged", "none", "empty", "non-ascii"])
async def test_a_cookie_that_this_server_did_not_sign_is_nobodys(site: Site, how: str) -> None:
    browser = await site.browser("alice")
    cookie = browser.cookies[COOKIE]
    session_id, _, signature = cookie.partition(".")
    sent = {
        "cut": cookie[:-1],
        "forged": f"{session_id}x.{signature}",
        "none": session_id,
        "empty": ".",
        "non-ascii": f"{session_id}.\xe9",
    }[how]
    headers = [(b"cookie", f"{COOKIE}={sent}".encode("latin-1"))]
    page = await site.client().get("/login", headers=headers)
    assert page.status_code == 200
    assert logged_in_as(page) is None


async def test_a_session_expires(site: Site) -> None:
    browser = await site.browser("alice")
    site.clock.advance(14 * 86400 - 1)
    assert logged_in_as(await browser.get("/login")) == "alice"
    stale = hidden(await browser.get("/login/device"))
    site.clock.advance(1)
    assert logged_in_as(await browser.get("/login")) is None
    sent = await browser.get("/login/device")
    assert sent.headers["location"] == "/login?return_to=%2Flogin%2Fdevice"
    posted = await browser.post("/login/device", data={**stale, "user_code": "X"})
    assert posted.headers["location"] == "/login?return_to=%2Flogin%2Fdevice"


@pytest.mark.parametrize("path", ["/login", "/logout", "/login/device", "/login/password"])
async def test_a_form_from_elsewhere_is_refused(site: Site, path: str) -> None:
    browser, other = await site.browser("alice"), await site.browser("bob")
    theirs = hidden(await other.get("/login/device"))
    for sent in ({}, {"csrf": ""}, {"csrf": "é"}, theirs):
        refused = await browser.post(path, data={**sent, "login": "bob", "password": PASSWORD})
        assert refused.status_code == 403, path
        assert "did not come from this server" in text_of(refused)
    fine = hidden(await browser.get("/login/device"))
    headers = {"Sec-Fetch-Site": "same-site"}
    assert (await browser.post(path, data=fine, headers=headers)).status_code == 403
    assert logged_in_as(await browser.get("/login")) == "alice"
    assert (await browser.post(path, json=fine)).status_code == 400


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/login/device", "/login/device"),
        ("/login/oauth/authorize?a=b&c=d", "/login/oauth/authorize?a=b&c=d"),
        ("https://evil.example/", "/agents"),
        ("//evil.example/", "/agents"),
        ("/\\evil.example/", "/agents"),
        ("\\/evil.example", "/agents"),
        ("/\t/evil.example", "/agents"),
        ("/x\r\nSet-Cookie: a=b", "/agents"),
        ("javascript:alert(1)", "/agents"),
        ("", "/agents"),
    ],
)
async def test_the_way_back_stays_on_this_server(site: Site, target: str, leads_to: str) -> None:
    browser = site.client()
    sent = await log_in(browser, "alice", PASSWORD, return_to=target)
    assert sent.headers["location"] == leads_to
    again = await browser.get("/login", params={"return_to": target})
    assert again.headers.get("location", "/agents") == leads_to


async def test_passwords_can_be_guessed_thirty_times_an_hour(site: Site) -> None:
    for _ in range(30):
        with pytest.raises(Exception, match="wrong"):
            await site.services.logins.log_in("nobody", "wrong", "192.0.2.1")
    with pytest.raises(Exception, match="too many tries"):
        await site.services.logins.log_in("nobody", "wrong", "192.0.2.2")
    site.clock.advance(3601)
    with pytest.raises(Exception, match="wrong"):
        await site.services.logins.log_in("nobody", "wrong", "192.0.2.2")


async def test_no_page_can_be_framed_or_scripted(site: Site) -> None:
    browser = await site.browser("alice")
    for path in ("/login", "/logout", "/login/device", "/login/password", "/login/nothing"):
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text
        assert not re.search(r"\s(style|on\w+)=", page.text)
        assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
        assert assets
        for asset in assets:
            assert (await browser.get(asset)).status_code == 200


async def test_what_was_typed_is_shown_as_text(site: Site) -> None:
    sent = await log_in(site.client(), '"><script>alert(1)</script>', "x")
    assert "<script>" not in sent.text
    assert "&lt;script&gt;" in sent.text


@pytest.mark.parametrize("path", ["/login/x", "/static/../login.py", "/static/%2e%2e/x"])
async def test_what_is_not_there_is_a_page_that_says_so(site: Site, path: str) -> None:
    assert (await site.client().get(path)).status_code == 404


# --- One-time links ------------------------------------------------------------------------------


async def test_a_link_logs_in_once_and_only_when_the_button_is_pressed(site: Site) -> None:
    address = f"/login/link/{await site.services.logins.create_link('bob')}"
    browser = site.client()
    for _ in range(3):
        page = await browser.get(address)
        assert "Log in as bob" in text_of(page)
        assert logged_in_as(page) is None
    assert (await browser.post(address, data=hidden(page))).status_code == 303
    assert logged_in_as(await browser.get("/login")) == "bob"
    assert (await browser.get(address)).status_code == 404
    assert (await log_in(site.client(), "bob", PASSWORD)).status_code == 303, "it stayed"


async def test_a_link_sets_a_forgotten_password(site: Site) -> None:
    elsewhere = await site.browser("bob")
    address = f"/login/link/{await site.services.logins.create_link('bob')}"
    browser = site.client()
    form = hidden(await browser.get(address))
    short = await browser.post(address, data={**form, "password": "short"})
    assert "at least 10 characters" in text_of(short)
    await browser.post(address, data={**form, "password": OTHER})
    assert logged_in_as(await browser.get("/login")) == "bob"
    assert logged_in_as(await elsewhere.get("/login")) is None
    assert (await log_in(site.client(), "bob", OTHER)).status_code == 303


async def test_a_link_is_over_after_an_hour(site: Site) -> None:
    secret = await site.services.logins.create_link("bob")
    site.clock.advance(3600)
    page = await site.client().get(f"/login/link/{secret}")
    assert page.status_code == 404
    assert "has been used or has expired" in text_of(page)


# --- The password of one's own -------------------------------------------------------------------


async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(site: Site) -> None:
    browser, elsewhere = await site.browser("alice"), await site.browser("alice")
    form = hidden(await browser.get("/login/password"))
    wrong = await browser.post("/login/password", data={**form, "current": "x", "password": OTHER})
    assert "current password is wrong" in text_of(wrong)
    right = {**form, "current": PASSWORD, "password": OTHER}
    assert (await browser.post("/login/password", data=right)).status_code == 303
    assert logged_in_as(await browser.get("/login")) == "alice"
    assert logged_in_as(await elsewhere.get("/login")) is None
    assert (await log_in(site.client(), "alice", PASSWORD)).status_code == 422


async def test_the_api_and_unknown_paths_stay_the_apis(site: Site) -> None:
    for path in ("/nothing", "/loginx", "/applications", "/api/v3/login/device/code"):
        answer = await site.client().get(path)
        assert answer.status_code == 404
        assert answer.json()["message"] == "Not Found", f"{HOST}{path}"
