import re

import httpx
import pytest

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.domain.tasks import Task
from tests.unit.web.conftest import EVIL, Site, csrf, page_of, said, tool_call


async def started(site: Site, prompt: str = "Mend the test") -> Task:
    task = await site.task(prompt)
    await site.tell(task, NewEvent(EventType.SESSION_START, {"baseRef": "main"}))
    await site.tell(task, State.IN_PROGRESS)
    return task


async def asking(site: Site) -> Task:
    task = await started(site)
    question = {"requestId": "q", "question": "Which?", "choices": ["This one", "<b>that</b>"]}
    await site.tell(task, NewEvent(EventType.INPUT_REQUESTED, question), State.WAITING_FOR_USER)
    return task


async def test_the_page_shows_what_was_said_and_done(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    await site.tell(
        task,
        said("Please **mend**", EventType.USER_MESSAGE, source="prompt", userId=task.creator_id),
        said("I look first.", reasoningText="Hmm"),
        *tool_call("bash", {"command": "make test"}, "\x1b[31mred\x1b[0m\nplain"),
        NewEvent(EventType.CHECKPOINT, {"sha": "a" * 40, "changedFiles": 1}),
        NewEvent(EventType.ARTIFACT, {"type": "branch", "data": {"head_ref": "topic"}}),
        NewEvent(EventType.SESSION_ERROR, {"message": "It broke"}),
    )
    page = (await alice.get(page_of(task))).text
    for shown in ("<strong>mend</strong>", "I look first.", "Hmm", "make test", "It broke"):
        assert shown in page
    assert '<span class="fg-1">red</span>' in page
    assert "Saved 1 changed file at aaaaaaa" in page
    assert "Pushed branch <code><bdi>topic</bdi>" in page
    assert "1.5 s" in page


async def test_hooks_and_mcp_servers_stand_in_the_log(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    denied = {"permissionDecision": "deny", "permissionDecisionReason": f"no {EVIL}"}
    servers = [
        {"name": "notes", "status": "connected", "tools": ["notes-find"]},
        {"name": EVIL, "status": "failed", "error": "no answer in 60 s"},
    ]
    hook = {"hookType": "preToolUse", "source": ".github/hooks/a.json:3"}
    await site.tell(
        task,
        NewEvent(EventType.MCP_SERVERS, {"servers": servers}),
        NewEvent(EventType.MCP_SERVERS, {"servers": [1, {}]}),
        NewEvent(EventType.HOOK_END, {**hook, "output": denied}),
        NewEvent(EventType.HOOK_END, {**hook, "error": {"message": "timed out"}}),
        NewEvent(EventType.HOOK_END, {**hook, "error": "strange", "output": [1]}),
        said("Be quick", EventType.USER_MESSAGE, source="hooks"),
    )
    page = (await alice.get(page_of(task))).text
    assert "MCP servers: 1 of 2 there" in page
    assert "notes-find" in page
    assert "no answer in 60 s" in page
    assert "Hook preToolUse of .github/hooks/a.json:3: deny: no &lt;" in page
    assert "Hook preToolUse of .github/hooks/a.json:3: timed out" in page
    assert "a hook" in page
    assert EVIL not in page


async def test_a_result_stands_with_its_call(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    await site.tell(task, *tool_call("bash", {"command": "ls"}, "README.md"))
    page = (await alice.get(page_of(task))).text
    assert page.count('class="entry tool"') == 1
    assert 'class="entry result"' not in page


async def test_nothing_that_was_written_is_markup(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site, f"{EVIL} \u200b\u202e\x1b[31m\x07")
    await site.tell(
        task,
        said(EVIL, EventType.USER_MESSAGE, source=EVIL, userId=0),
        said(f"[x](javascript:alert(1)) <img src=x onerror=a> {EVIL}", reasoningText=EVIL),
        *tool_call("bash", {"command": EVIL}, EVIL, EVIL),
        *tool_call(EVIL, {EVIL: [EVIL]}, EVIL, "2", success=False),
        *tool_call("edit", {"path": EVIL, "old": EVIL, "new": EVIL}, EVIL, "3"),
        *tool_call("create", {"path": f"{EVIL}.py", "content": EVIL}, EVIL, "4"),
        *tool_call("report_progress", {"commit_message": EVIL, "pr_description": EVIL}, "", "5"),
        NewEvent(EventType.ARTIFACT, {"type": "branch", "data": {"head_ref": EVIL}}),
        NewEvent(EventType.SESSION_STATE, {"state": EVIL, "stateReason": EVIL, "message": EVIL}),
        NewEvent(EventType.INPUT_REQUESTED, {"question": EVIL, "choices": [EVIL]}),
        NewEvent(EventType.USAGE, {"model": EVIL, "inputTokens": 1, "outputTokens": 1}),
        NewEvent(EventType.ABORT, {"reason": EVIL}),
        State.FAILED,
    )
    for below in ("", "/side", "/older", "/search?q=script", "/stream"):
        page = (await alice.get(page_of(task, below))).text.replace("\\n", "\n")
        assert "<script>alert" not in page, below
        assert "<img src=x" not in page
        assert 'href="javascript' not in page
        assert not set(page) & set("\u200b\u202e\x1b\x07")


async def test_pages_run_no_script_but_their_own(site: Site, alice: httpx.AsyncClient) -> None:
    task = await asking(site)
    for path in (page_of(task), page_of(task, "/changes"), "/agents", "/agents/new"):
        page = await alice.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; connect-src 'self'; style-src" in policy
        assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=|<style", page.text), path


async def test_a_stranger_sees_nothing(site: Site) -> None:
    task = await started(site)
    mallory = await site.logged_in("mallory")
    for below in ("", "/side", "/stream", "/older", "/log", "/patch", "/changes", "/search?q=a"):
        assert (await mallory.get(page_of(task, below))).status_code == 404, below


async def test_a_task_is_found_only_below_its_own_repository(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await started(site)
    assert (await alice.get(f"/alice/other/agents/tasks/{task.id}")).status_code == 404
    assert (await alice.get(f"/ALICE/Hello/agents/tasks/{task.id}")).status_code == 200


async def test_a_long_log_is_read_in_parts(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    turns = [
        event
        for number in range(300)
        for event in (
            NewEvent(EventType.TURN_START, {"turnId": str(number)}),
            said(f"Step {number:03}."),
        )
    ]
    await site.tell(task, *turns)
    page = (await alice.get(page_of(task))).text
    assert "Step 299." in page
    assert "Step 150." not in page
    first = re.search(r'data-first="([\d-]+)"', page)
    assert first is not None
    older = await alice.get(page_of(task, f"/older?before={first[1]}"))
    assert "Step 150." in older.text
    assert older.headers["x-older"] == "1"
    shown = set(re.findall(r'id="(e[\d-]+)"', page))
    assert not shown & set(re.findall(r'id="(e[\d-]+)"', older.text))
    newer = await alice.get(page_of(task, "/newer?after=1-2"))
    assert "Step 000." in newer.text
    around = (await alice.get(page_of(task, "?at=1-100"))).text
    assert 'class="entry message found" id="e1-100"' in around
    assert "Step 299." not in around


@pytest.mark.parametrize("at", ["x", "1", "1--2", "99999999999999999999-1", "-"])
async def test_a_place_that_is_none_is_told(site: Site, alice: httpx.AsyncClient, at: str) -> None:
    task = await started(site)
    assert (await alice.get(page_of(task, f"?at={at}"))).status_code == 400


async def test_the_log_can_be_searched(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    await site.tell(task, said("A needle, 100% ünique"), said("hay"))
    found = (await alice.get(page_of(task, "/search?q=NEEDLE"))).text
    assert "1 place in the log says" in found
    assert f"{page_of(task)}?at=1-3#e1-3" in found
    assert "A needle" in (await alice.get(page_of(task, "/search?q=100%25+ü"))).text
    assert "Nothing in the log" in (await alice.get(page_of(task, "/search?q=100_"))).text


async def test_the_whole_log_and_a_whole_output_can_be_taken(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await started(site)
    output = "\n".join(f"line {number}" for number in range(2000))
    await site.tell(task, *tool_call("bash", {"command": "seq"}, output))
    page = (await alice.get(page_of(task))).text
    assert "1600 of 2000 lines are left out" in page
    assert "line 1000<" not in page
    assert f"{page_of(task, '/output')}?at=1-4" in page
    whole = await alice.get(page_of(task, "/output?at=1-4"))
    assert whole.text == output
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    log = await alice.get(page_of(task, "/log"))
    assert "line 1000\n" in log.text
    assert log.headers["content-disposition"].startswith("attachment")


async def test_a_message_to_the_agent_is_taken(site: Site, alice: httpx.AsyncClient) -> None:
    task = await started(site)
    form = {"csrf": csrf(await alice.get(page_of(task))), "content": "Use tabs"}
    answer = await alice.post(page_of(task, "/steer"), data=form)
    assert answer.headers["location"] == f"{page_of(task)}?said=sent#end"
    page = (await alice.get(answer.headers["location"])).text
    assert "the agent reads it before its next turn" in page
    assert "Use tabs" in page


async def test_choices_are_buttons_that_answer(site: Site, alice: httpx.AsyncClient) -> None:
    task = await asking(site)
    page = await alice.get(page_of(task))
    assert '<button name="choice" value="This one" formnovalidate>' in page.text
    assert "&lt;b&gt;that&lt;/b&gt;" in page.text
    form = {"csrf": csrf(page), "content": "", "choice": "This one"}
    answer = await alice.post(page_of(task, "/steer"), data=form)
    assert "said=answered" in answer.headers["location"]
    assert "queued" in (await alice.get(page_of(task, "/side"))).text


async def test_after_the_end_a_message_starts_a_new_session(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await started(site)
    await site.tell(task, State.COMPLETED)
    page = await alice.get(page_of(task))
    assert "Follow up" in page.text
    form = {"csrf": csrf(page), "content": "Now the docs"}
    answer = await alice.post(page_of(task, "/steer"), data=form)
    assert "said=followed" in answer.headers["location"]
    assert "Sessions</h2>" in (await alice.get(page_of(task))).text


async def test_cancel_archive_and_back_say_what_they_did(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    form = {"csrf": csrf(await alice.get(page_of(task)))}
    for verb, words in (
        ("cancel", "The task is cancelled"),
        ("archive", "The task is archived"),
        ("unarchive", "back in the lists"),
    ):
        answer = await alice.post(page_of(task, f"/{verb}"), data=form)
        assert answer.status_code == 303, answer.text
        assert words in (await alice.get(answer.headers["location"])).text


async def test_what_cannot_be_done_says_why_and_keeps_what_was_typed(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    form = {"csrf": csrf(await alice.get(page_of(task))), "content": "  "}
    refused = await alice.post(page_of(task, "/archive"), data=form)
    assert refused.status_code == 422
    assert "cancel it or wait" in refused.text
    empty = await alice.post(page_of(task, "/steer"), data=form)
    assert empty.status_code == 422
    too_long = await alice.post(page_of(task, "/steer"), data={**form, "content": "x" * 100_001})
    assert too_long.status_code == 422
    assert "x" * 100_001 in too_long.text


async def test_a_form_without_its_proof_is_refused(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    for verb in ("steer", "cancel", "archive", "unarchive", "pull"):
        answer = await alice.post(page_of(task, f"/{verb}"), data={"content": "x"})
        assert answer.status_code == 403, verb


async def test_a_reader_may_look_and_not_act(site: Site) -> None:
    await site.world.administration.create_token("carol")
    await site.world.administration.grant("alice/hello", "carol", Permission.READ)
    task = await site.task()
    carol = await site.logged_in("carol")
    page = await carol.get(page_of(task))
    assert page.status_code == 200
    assert "data-compose" not in page.text
    assert "/cancel" not in page.text
    sent = {"csrf": csrf(await carol.get("/login")), "content": "x"}
    assert (await carol.post(page_of(task, "/cancel"), data=sent)).status_code == 422


async def test_the_stream_goes_on_after_the_last_entry_and_ends_with_the_task(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await started(site)
    call = tool_call("bash", {"command": "ls"}, "README.md")
    await site.tell(task, said("One"), *call, State.COMPLETED)
    whole = (await alice.get(page_of(task, "/stream"))).text
    assert re.findall(r"^id: (\S+)$", whole, re.M) == [f"1-{seq}" for seq in range(1, 7)]
    assert "data-partial" in whole
    assert whole.endswith("event: over\ndata: {}\n\n")
    rest = await alice.get(page_of(task, "/stream?after=1-1"), headers={"Last-Event-ID": "1-3"})
    assert re.findall(r"^id: (\S+)$", rest.text, re.M) == ["1-4", "1-5", "1-6"]
    assert rest.headers["content-type"].startswith("text/event-stream")
    assert "One" not in rest.text
