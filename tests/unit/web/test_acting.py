"""What can be done with a task from its page, beside talking to it."""

from __future__ import annotations

from pathlib import Path

import httpx

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.limits import Limits
from journeyman.domain.sessions import State
from journeyman.store import tasks
from tests.unit.service.proposed import push
from tests.unit.web.conftest import EVIL, Site, csrf, page_of, tool_call


async def test_a_task_is_paused_and_resumed(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    proof = {"csrf": csrf(await alice.get(page_of(task)))}
    paused = await alice.post(page_of(task, "/pause"), data=proof)
    page = (await alice.get(paused.headers["location"])).text
    assert "The task is paused" in page
    assert "Resume</button>" in page
    assert "Pause</button>" not in page
    resumed = await alice.post(page_of(task, "/resume"), data=proof)
    page = (await alice.get(resumed.headers["location"])).text
    assert "goes on as soon as" in page
    assert "alice: Go on." in page
    assert "Pause</button>" in page


async def test_work_is_paused_after_its_turn(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS)
    proof = {"csrf": csrf(await alice.get(page_of(task)))}
    answer = await alice.post(page_of(task, "/pause"), data=proof)
    assert "after the turn that it is in" in (await alice.get(answer.headers["location"])).text


async def test_what_has_ended_is_not_paused_and_says_so_when_cancelled(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS, State.COMPLETED)
    proof = {"csrf": csrf(await alice.get(page_of(task)))}
    refused = await alice.post(page_of(task, "/pause"), data=proof)
    assert refused.status_code == 422
    assert "it cannot be paused" in refused.text
    late = await alice.post(page_of(task, "/cancel"), data=proof)
    assert "had ended before" in (await alice.get(late.headers["location"])).text


async def test_running_again_fills_the_form_in(site: Site, alice: httpx.AsyncClient) -> None:
    limits = Limits(minutes=5, credits=12.5)
    task = await site.task(f"Do it {EVIL}", model="script", limits=limits, create_pull_request=True)
    await site.tell(task, State.IN_PROGRESS, State.FAILED)
    page = (await alice.get(page_of(task))).text
    assert f'href="/agents/new?again={task.id}"' in page
    form = (await alice.get(f"/agents/new?again={task.id}")).text
    assert "Do it &lt;script&gt;" in form
    assert '<option value="script" selected>' in form
    assert 'name="minutes" type="number" min="0" step="any" inputmode="decimal" value="5"' in form
    assert 'value="12.5"' in form
    assert 'name="create_pull_request" value="1" checked' in form
    mallory = await site.logged_in("mallory")
    assert (await mallory.get(f"/agents/new?again={task.id}")).status_code == 404


async def test_a_pull_request_is_opened_afterwards(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    task = await site.task("Say hello to all")
    await site.tell(task, State.IN_PROGRESS, State.COMPLETED)
    assert "Open a pull request" not in (await alice.get(page_of(task))).text
    push(site.world, source, task.session.head_ref, {"README.md": "# hello all\n"})
    branch = BranchArtifact(task.session.head_ref, task.session.base_ref)
    await site.world.parts.database.write(lambda tx: tasks.add_artifact(tx, task.id, branch))
    for below in ("", "/changes", "/search?q=hello"):
        assert "Open a pull request" in (await alice.get(page_of(task, below))).text, below
    proof = {"csrf": csrf(await alice.get(page_of(task)))}
    answer = await alice.post(page_of(task, "/pull"), data=proof)
    assert answer.headers["location"] == "/alice/hello/pulls/1?said=opened"
    page = (await alice.get(answer.headers["location"])).text
    assert "The pull request is open" in page
    assert "Say hello to all" in page
    assert "Open a pull request" not in (await alice.get(page_of(task))).text


async def test_the_plan_stands_beside_the_log(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS)
    old = {"steps": [{"content": "Give up", "status": "pending"}]}
    new = {
        "steps": [
            {"content": f"Look {EVIL}", "status": "completed"},
            {"content": "Mend", "status": "in_progress"},
            {"content": "Odd", "status": EVIL},
            "not a step",
        ]
    }
    await site.tell(task, NewEvent(EventType.PLAN, old), NewEvent(EventType.PLAN, new))
    side = (await alice.get(page_of(task, "/side"))).text
    assert "1 of 3" in side
    assert "Look &lt;script&gt;" in side
    assert "Give up" not in side
    await site.tell(task, *tool_call("plan", new, "Noted."))
    page = (await alice.get(page_of(task))).text
    assert "<code>1 of 3 done</code>" in page
    assert EVIL not in page


async def test_two_people_steer_at_once_and_both_are_heard(
    site: Site, alice: httpx.AsyncClient
) -> None:
    bob = await site.logged_in("bob")
    task = await site.task()
    question = {"requestId": "q", "question": "Which?", "choices": ["Red", "Blue"]}
    await site.tell(task, State.IN_PROGRESS, NewEvent(EventType.INPUT_REQUESTED, question))
    await site.tell(task, State.WAITING_FOR_USER)
    for browser, choice in ((alice, "Red"), (bob, "Blue")):
        form = {"csrf": csrf(await browser.get(page_of(task))), "choice": choice}
        answer = await browser.post(page_of(task, "/steer"), data=form)
        assert answer.status_code == 303, answer.text
    side = (await alice.get(page_of(task, "/side"))).text
    assert "alice: Red" in side
    assert "bob: Blue" in side
