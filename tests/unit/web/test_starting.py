import re
from pathlib import Path

import httpx
import pytest

from tests.unit.service.proposed import push
from tests.unit.web.conftest import Site, csrf

FORM = {"prompt": "Mend the test\r\n```sh\r\nls\r\n```", "repository": "alice/hello"}


async def test_the_form_starts_a_task_and_leads_to_it(site: Site, alice: httpx.AsyncClient) -> None:
    form = await alice.get("/agents/new")
    answer = await alice.post("/agents/new", data={**FORM, "csrf": csrf(form), "model": "script"})
    assert answer.status_code == 303, answer.text
    page = await alice.get(answer.headers["location"])
    assert "Mend the test" in page.text
    assert "The task is accepted" in page.text
    task_id = answer.headers["location"].split("/")[-1].partition("?")[0]
    found = await site.world.parts.services.tasks.get(await site.world.principal("alice"), task_id)
    assert found.task.session.prompt == "Mend the test\n```sh\nls\n```"
    assert found.task.session.create_pull_request is False


async def test_sending_the_same_form_twice_starts_one_task(
    site: Site, alice: httpx.AsyncClient
) -> None:
    form = {**FORM, "csrf": csrf(await alice.get("/agents/new")), "key": "0" * 36}
    first = await alice.post("/agents/new", data=form)
    again = await alice.post("/agents/new", data=form)
    assert first.headers["location"] == again.headers["location"]


async def test_errors_stand_at_their_fields_and_nothing_typed_is_lost(
    site: Site, alice: httpx.AsyncClient
) -> None:
    form = {
        **FORM,
        "prompt": "Keep <this> & that\n\n",
        "base_ref": "no-such-branch",
        "csrf": csrf(await alice.get("/agents/new")),
    }
    page = await alice.post("/agents/new", data=form)
    assert page.status_code == 422
    assert "no branch" in page.text
    assert 'aria-describedby="base_ref-wrong"' in page.text
    assert "Keep &lt;this&gt; &amp; that\n\n</textarea>" in page.text
    assert 'value="no-such-branch"' in page.text


async def test_a_prompt_of_the_greatest_length_is_taken(
    site: Site, alice: httpx.AsyncClient
) -> None:
    form = {**FORM, "prompt": "ü" * 100_000, "csrf": csrf(await alice.get("/agents/new"))}
    assert (await alice.post("/agents/new", data=form)).status_code == 303


async def test_the_address_fills_the_form_in(site: Site, alice: httpx.AsyncClient) -> None:
    page = await alice.get("/alice/hello/agents/new", follow_redirects=True)
    assert '<option value="alice/hello" data-branch="main" selected>' in page.text
    assert "Do it" in (await alice.get("/agents/new?prompt=Do+it")).text


async def test_a_reader_without_write_access_is_offered_nothing(site: Site) -> None:
    mallory = await site.logged_in("mallory")
    assert "no repository you may write to" in (await mallory.get("/agents/new")).text
    sent = await mallory.post(
        "/agents/new", data={**FORM, "csrf": csrf(await mallory.get("/login"))}
    )
    assert sent.status_code == 422
    assert "There is no such repository" in sent.text


async def test_agent_and_limits_are_the_tasks(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    agent = "---\nname: Reviewer\ndescription: Looks closely\n---\nLook.\n"
    push(site.world, source, "main", {".github/agents/reviewer.agent.md": agent})
    page = await alice.get("/agents/new?repository=alice/hello")
    assert '<option value="reviewer">Reviewer: Looks closely</option>' in page.text
    form = {**FORM, "csrf": csrf(page), "custom_agent": "reviewer", "minutes": "7.5", "steps": "40"}
    answer = await alice.post("/agents/new", data=form)
    assert answer.status_code == 303, answer.text
    task_id = answer.headers["location"].split("/")[-1].partition("?")[0]
    found = await site.world.parts.services.tasks.get(await site.world.principal("alice"), task_id)
    session = found.task.session
    assert (session.custom_agent, session.limits.minutes, session.limits.steps) == (
        "reviewer",
        7.5,
        40,
    )


@pytest.mark.parametrize(
    ("name", "value"), [("minutes", "soon"), ("tokens", "-1"), ("credits", "nan")]
)
async def test_a_limit_that_is_none_is_told_at_its_field(
    site: Site, alice: httpx.AsyncClient, name: str, value: str
) -> None:
    form = {**FORM, "csrf": csrf(await alice.get("/agents/new")), name: value}
    page = await alice.post("/agents/new", data=form)
    assert page.status_code == 422
    assert f'aria-describedby="{name}-wrong"' in page.text
    assert '<details class="field limits" open>' in page.text


async def test_a_prompt_is_kept_as_a_template_and_deleted(
    site: Site, alice: httpx.AsyncClient
) -> None:
    form = {**FORM, "csrf": csrf(await alice.get("/agents/new"))}
    kept = await alice.post(
        "/agents/new", data={**form, "verb": "keep", "template_name": "Mend <it>"}
    )
    assert "is kept as a template for alice/hello" in kept.text
    assert "Mend the test\n```sh" in kept.text
    bob = await site.logged_in("bob")
    choices = (await bob.get("/agents/new?part=choices&repository=alice/hello")).text
    assert "Mend &lt;it&gt;" in choices
    assert "<html" not in choices
    found = re.search(r'value="(delete-\d+)"', choices)
    assert found is not None
    gone = await alice.post("/agents/new", data={**form, "verb": found[1]})
    assert "The template is deleted" in gone.text
    assert "None for this repository yet" in gone.text
    nameless = await alice.post("/agents/new", data={**form, "verb": "keep"})
    assert nameless.status_code == 422
    assert "name has between 1 and 80" in nameless.text


async def test_a_lost_session_leads_back_to_the_form(site: Site, alice: httpx.AsyncClient) -> None:
    page = await alice.get("/agents/new")
    alice.cookies.clear()
    sent = await alice.post(
        "/agents/new",
        data={**FORM, "csrf": csrf(page)},
        headers={"Referer": "http://forge.test/agents/new"},
    )
    assert sent.headers["location"] == "/login?return_to=%2Fagents%2Fnew"
    away = {"Referer": "http://elsewhere.test/agents/other"}
    sent = await alice.post("/agents/new", data={**FORM, "csrf": csrf(page)}, headers=away)
    assert sent.headers["location"] == "/login?return_to=%2Fagents%2Fnew"
