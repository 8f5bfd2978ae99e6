"""What is too large, too long or in disguise: pages stay small, and say what they leave out."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import State
from tests.unit.service.proposed import propose
from tests.unit.web.conftest import EVIL, Site, page_of, said, tool_call

SMALL = 1_000_000
"""Bytes of a page that is still quick."""
MB = 1 << 20
DISGUISED = (
    "\x00\x07\x08\x1b[2J\x1b]0;title\x07\x9b31m\u202eevil\u2066\u200b\ufeff\u200d\U000e0041\x7f"
)


async def test_a_task_of_20_000_events_opens_with_its_end(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS)
    story = [
        event
        for number in range(5_000)
        for event in (
            NewEvent(EventType.TURN_START, {"turnId": str(number)}),
            said(f"Step {number}."),
            *tool_call("bash", {"command": "true"}, "done", f"c{number}"),
        )
    ]
    await site.tell(task, *story)
    page = await alice.get(page_of(task))
    assert len(page.content) < SMALL
    assert "Step 4999." in page.text
    assert page.text.count('class="entry ') <= 210
    side = (await alice.get(page_of(task, "/side"))).text
    assert side.count("<rect") <= 1_200
    assert "<dd>5000</dd>" in side
    # Back to the beginning, a part at a time, without a gap or a doubled entry.
    seen = re.findall(r'id="e(1-\d+)"', page.text)
    around = await alice.get(page_of(task, "?at=1-9000"))
    assert 'id="e1-9000"' in around.text or 'id="e1-8999"' in around.text
    assert len(around.content) < SMALL
    first = re.search(r'data-first="([\d-]+)"', page.text)
    assert first is not None
    older = await alice.get(page_of(task, f"/older?before={first[1]}"))
    assert not set(seen) & set(re.findall(r'id="e(1-\d+)"', older.text))


async def test_an_output_of_50_mb_is_shown_by_its_ends_and_served_whole(
    site: Site, alice: httpx.AsyncClient
) -> None:
    task = await site.task()
    await site.tell(task, State.IN_PROGRESS)
    line = "x" * 99 + "\n"
    output = f"first\n{line * (50 * MB // 100)}last\n"
    await site.tell(task, *tool_call("bash", {"command": "yes"}, output))
    page = await alice.get(page_of(task))
    assert len(page.content) < SMALL
    assert "first" in page.text
    assert "last" in page.text
    assert "lines are left out" in page.text
    at = re.search(r"/output\?at=([\d-]+)", page.text)
    assert at is not None
    whole = await alice.get(page_of(task, f"/output?at={at[1]}"))
    assert len(whole.content) == len(output)
    stream = await alice.get(page_of(task, "/newer?after=1-1"))
    assert len(stream.content) < SMALL


async def test_a_line_of_1_mb_is_cut_wherever_it_stands(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    long = "y" * MB
    task = await site.task()
    await site.tell(
        task,
        State.IN_PROGRESS,
        *tool_call("bash", {"command": long}, long),
        *tool_call("edit", {"path": "a", "old": long, "new": long}, "done", "c2"),
        *tool_call("create", {"path": "a", "content": long}, "done", "c3"),
        *tool_call("other", {"text": long}, "done", "c4"),
        NewEvent(EventType.FIREWALL_BLOCKED, {"host": "example.org", "command": long}),
    )
    page = await alice.get(page_of(task))
    assert len(page.content) < SMALL
    assert "more characters" in page.text
    pull = await propose(site.world, source, **{"long.txt": long + "\n"})
    changes = await alice.get(f"/alice/hello/pulls/{pull.number}")
    assert len(changes.content) < SMALL


async def test_what_hides_is_shown_by_name(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    """In every place that somebody else's text reaches."""
    task = await site.task(f"Look {DISGUISED}")
    await site.tell(
        task,
        State.IN_PROGRESS,
        said(DISGUISED, reasoningText=DISGUISED),
        *tool_call("bash", {"command": DISGUISED}, DISGUISED),
        *tool_call("edit", {"path": DISGUISED, "old": DISGUISED, "new": DISGUISED}, "", "c2"),
        NewEvent(EventType.PLAN, {"steps": [{"content": DISGUISED, "status": "pending"}]}),
        NewEvent(EventType.INPUT_REQUESTED, {"question": DISGUISED, "choices": [DISGUISED]}),
    )
    file = "evil\u202efdp.txt"
    pull = await propose(site.world, source, **{file: DISGUISED.replace("\x00", "") + "\n"})
    for path in (
        page_of(task),
        page_of(task, "/side"),
        page_of(task, "/search?q=evil"),
        "/agents",
        f"/alice/hello/pulls/{pull.number}",
        f"/alice/hello/pulls/{pull.number}?view=split",
    ):
        page = (await alice.get(path)).text
        shown = re.sub(r"(<textarea|value=|<input|<option)[^>]*>", "", page)
        assert not set(shown) & set("\x00\x07\x08\x1b\x9b\u202e\u2066\u200b\ufeff\x7f"), path
        assert "U+202E" in page, path


async def test_a_diff_of_5_000_files_is_read_in_pages(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    files = {f"src/d{number % 50}/f{number}.txt": f"{number}\n" for number in range(5_000)}
    pull = await propose(site.world, source, **files)
    path = f"/alice/hello/pulls/{pull.number}"
    page = await alice.get(path)
    assert "5000 files" in page.text
    assert page.text.count('<section class="card file"') == 300
    assert len(page.content) < 3 * SMALL
    assert f'href="{path}?from=4999#file-4999"' in page.text
    last = await alice.get(f"{path}?from=4999")
    assert 'id="file-4999"' in last.text
    one = await alice.get(f"{path}?file=4999&part=file")
    assert one.text.count("<table") == 1


async def test_script_in_every_field_of_a_form_is_text(
    site: Site, alice: httpx.AsyncClient
) -> None:
    names = ("prompt", "repository", "model", "custom_agent", "base_ref", "head_ref", "minutes")
    page = await alice.get("/agents/new", params=dict.fromkeys(names, f'"><{EVIL}'))
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    for query in ("q", "repository", "state", "sort", "creator", "page", "said"):
        shown = await alice.get("/agents", params={query: f'"><{EVIL}'})
        assert "<script>alert" not in shown.text, query
