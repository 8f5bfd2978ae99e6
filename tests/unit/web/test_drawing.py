"""How the events of a log are drawn: what belongs together stands together, none is left raw."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import State
from tests.unit.web.conftest import EVIL, Site, page_of, said, tool_call

CHILD = {"parentToolCallId": "c1"}
SHOWN: tuple[tuple[EventType, dict[str, Any], str], ...] = (
    (EventType.SESSION_INFO, {"message": "Instructions in use"}, "Instructions in use"),
    (EventType.SESSION_RESUME, {"reason": "a restart", "run": 2}, "Goes on (a restart)"),
    (EventType.SESSION_ERROR, {"message": "No model answers"}, "No model answers"),
    (
        EventType.MODEL_CHANGE,
        {"previousModel": "a", "newModel": "b", "reason": "a refused"},
        "From here on b instead of a: a refused",
    ),
    (
        EventType.COMPACTION,
        {"kind": "summarised", "tokensBefore": 12000, "summaryContent": "So far: little"},
        "So far: little",
    ),
    (EventType.COMPACTION, {"kind": "truncated", "tokensBefore": 12000}, "12,000 tokens"),
    (EventType.MODEL_RETRY, {"attempt": 2, "error": "overloaded"}, "(try 2): overloaded"),
    (EventType.CHECKPOINT, {"sha": "a" * 40, "changedFiles": 1}, "Saved 1 changed file at aaaaaaa"),
    (
        EventType.FIREWALL_BLOCKED,
        {"host": "evil.test", "port": 443, "count": 2, "command": "curl evil.test"},
        "The firewall blocked evil.test:443 2 times: curl evil.test",
    ),
    (EventType.ABORT, {"reason": "cancelled"}, "Stopped: cancelled"),
)


@pytest.mark.parametrize(("kind", "told", "words"), SHOWN, ids=[str(one[0]) for one in SHOWN])
async def test_an_event_is_said_in_words(
    site: Site, alice: httpx.AsyncClient, kind: EventType, told: dict[str, Any], words: str
) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS, NewEvent(kind, told))
    page = (await alice.get(page_of(task))).text
    assert words in page
    assert f">{kind}<" not in page


async def test_checks_are_a_list_with_their_outcomes(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    results = [
        {"name": "tests", "status": "passed", "message": "the last command exited with 0"},
        {"name": "secrets", "status": "failed", "message": f"a key in {EVIL}"},
        {"name": "review", "status": EVIL, "message": None},
        "not a result",
    ]
    told = {"content": "Your work was checked", "source": "checks"}
    await site.tell(
        task,
        State.IN_PROGRESS,
        NewEvent(EventType.CHECKS, {"sha": "a" * 40, "results": results}),
        NewEvent(EventType.CHECKS, {"results": "nonsense"}),
        NewEvent(EventType.USER_MESSAGE, told),
    )
    page = (await alice.get(page_of(task))).text
    assert EVIL not in page
    part = page.partition('<section class="card checked"')[2].partition("</section>")[0]
    assert re.findall(r'<li class="(s-\w+)">', part) == ["s-completed", "s-failed", "s-queued"]
    assert "Journeyman <span" in page


async def test_what_a_sub_agent_did_stands_in_its_call(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    call, result = tool_call("task", {"description": "Look around", "prompt": "Look"}, "Nothing.")
    inner = tool_call("bash", {"command": "ls"}, "README.md", "c2")
    await site.tell(
        task,
        State.IN_PROGRESS,
        call,
        NewEvent(EventType.USER_MESSAGE, {"content": "Look", "source": "agent", **CHILD}),
        *(NewEvent(one.type, one.data | CHILD) for one in inner),
        NewEvent(EventType.MESSAGE, {"messageId": "m1", "content": "Inside", **CHILD}),
        result,
        said("Outside"),
    )
    page = (await alice.get(page_of(task))).text
    inside = page.partition("data-inside>")[2].partition("<div data-result>Nothing.")[0]
    begin = page.index("data-inside>")
    assert page.index("Look around") < begin < page.index("README.md") < page.index("Inside")
    assert page.index("Inside") < page.index("Nothing.") < page.index("Outside")
    assert inside.count("data-within=") == 3
    places = re.findall(r'id="e(1-\d+)" data-at="[\d-]+" data-within', page)
    led = (await alice.get(page_of(task, f"?at={places[0]}"))).text
    assert re.search(rf'class="entry \w+ found within" id="e{places[0]}"', led)


async def test_a_patch_is_drawn_as_its_lines(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    patch = f"*** Update File: src/{EVIL}.py\n@@\n-old\n+new\n"
    await site.tell(task, State.IN_PROGRESS, *tool_call("apply_patch", {"patch": patch}, "Done."))
    page = (await alice.get(page_of(task))).text
    assert EVIL not in page
    assert '<td class="sign del">-</td><td class="text del">old</td>' in page
    assert '<td class="sign add">+</td><td class="text add">new</td>' in page
    assert "*** Update" not in page.partition("</summary>")[0]
