"""Webhooks with their deliveries, and the audit log, in the browser."""

from typing import Any

import httpx
import pytest

from tests.unit.web.conftest import EVIL, Site, csrf

HOOKS, LOG = "/alice/hello/settings/hooks", "/alice/hello/settings/audit-log"
FORM = {"url": "https://a.test/hook", "event-agent_task": "1", "active": "1", "secret": "s3cret"}


async def send(browser: httpx.AsyncClient, path: str, at: str = "", **sent: Any) -> httpx.Response:
    form = await browser.get(at or path)
    return await browser.post(path, data={"csrf": csrf(form), **sent})


async def made(browser: httpx.AsyncClient, **sent: str) -> str:
    """The address of a new hook."""
    answer = await send(browser, f"{HOOKS}/new", **{**FORM, **sent})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


async def test_a_webhook_is_made_changed_and_deleted(site: Site, alice: httpx.AsyncClient) -> None:
    hook = await made(alice, url=f"https://a.test/?q={EVIL}".replace(" ", ""))
    listed = await alice.get(HOOKS)
    assert "https://a.test/" in listed.text
    assert "<script>alert" not in listed.text
    page = await alice.get(hook)
    assert "s3cret" not in page.text
    sent = {**FORM, "secret": "", "url": "https://b.test/", "event-agent_artifact": "1"}
    assert (await send(alice, hook, **sent)).status_code == 303
    access = await site.world.access("alice")
    (found,) = await site.world.parts.services.hooks.list_hooks(access)
    assert (found.config.url, found.config.has_secret) == ("https://b.test/", True)
    assert found.events == ("agent_task", "agent_artifact")
    await send(alice, hook, **sent, forget_secret="1")
    (found,) = await site.world.parts.services.hooks.list_hooks(access)
    assert not found.config.has_secret
    assert (await send(alice, f"{hook}/ping", at=hook)).status_code == 303
    assert (await send(alice, f"{hook}/nonsense", at=hook)).status_code == 404
    deleted = await send(alice, f"{hook}/delete", at=hook)
    assert deleted.headers["location"] == f"{HOOKS}?said=deleted"
    assert (await alice.get(hook)).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"url": "nonsense"}, "url"),
        ({"url": "https://user@a.test/"}, "url"),
        ({"event-agent_task": ""}, "events"),
        ({"secret": "x" * 1001}, "secret"),
    ],
)
async def test_what_is_wrong_with_a_webhook_stands_at_its_field(
    alice: httpx.AsyncClient, sent: dict[str, str], field: str
) -> None:
    page = await send(alice, f"{HOOKS}/new", **{**FORM, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    hook = await made(alice)
    page = await send(alice, hook, **{**FORM, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text


@pytest.mark.parametrize("below", ["", "/new", "/1", "/1/deliveries/1"])
async def test_a_stranger_finds_no_webhooks(site: Site, below: str) -> None:
    mallory = await site.logged_in("mallory")
    assert (await mallory.get(HOOKS + below)).status_code == 404


async def test_a_delivery_that_is_not_there_is_not_found(alice: httpx.AsyncClient) -> None:
    hook = await made(alice)
    for number in (1, 2**63, 10**30):
        assert (await alice.get(f"{hook}/deliveries/{number}")).status_code == 404
        assert (await alice.get(f"{HOOKS}/{number + 1}")).status_code == 404
    path = f"{hook}/deliveries/1/redeliver"
    assert (await send(alice, path, at=hook)).status_code == 404
    assert (await alice.get(f"{hook}?before=99999999999999999999")).status_code == 200


async def test_the_audit_log_says_who_did_what(site: Site, alice: httpx.AsyncClient) -> None:
    await made(alice)
    page = await alice.get(LOG)
    assert "hook.create" in page.text
    root = await site.logged_in("root")
    await send(root, "/settings/users/bob/suspend", at="/settings/users")
    log = await root.get("/settings/audit-log?kind=user&actor=ROOT")
    assert "user.suspend" in log.text
    assert "hook.create" not in log.text
    assert "hook.create" in (await root.get("/settings/audit-log")).text
    assert "Nothing is like that" in (await root.get("/settings/audit-log?actor=nobody")).text


async def test_the_audit_log_goes_on_behind_its_first_page(
    site: Site, alice: httpx.AsyncClient
) -> None:
    for _ in range(60):
        await site.task()
    first = await alice.get(f"{LOG}?kind=task")
    assert first.text.count("task.create") == 50
    older = f"{LOG}?kind=task&amp;after="
    assert older in first.text
    address = first.text.partition(f'href="{older}')[2].partition('"')[0]
    assert (await alice.get(f"{LOG}?kind=task&after={address}")).text.count("task.create") == 10
    assert (await alice.get(f"{LOG}?kind={EVIL}&after=-1&actor={EVIL}")).status_code == 200


async def test_the_audit_log_is_not_for_everybody(site: Site, alice: httpx.AsyncClient) -> None:
    assert (await alice.get("/settings/audit-log")).status_code == 404
    bob = await site.logged_in("bob")
    assert (await bob.get(LOG)).status_code == 403
    mallory = await site.logged_in("mallory")
    assert (await mallory.get(LOG)).status_code == 404
