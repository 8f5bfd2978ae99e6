"""A pull request's page: its conversation, comments on its lines, its merge."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from tests.unit.service.proposed import propose, propose_by
from tests.unit.web.conftest import EVIL, Site, csrf

COMMENT = {"verb": "comment", "path": "README.md", "side": "RIGHT", "line": "1", "body": "Why?"}


async def on_page(site: Site, alice: httpx.AsyncClient, source: Path) -> tuple[str, dict[str, str]]:
    """The address of a person's pull request, and the proof for its forms."""
    pull = await propose(site.world, source)
    path = f"/alice/hello/pulls/{pull.number}"
    return path, {"csrf": csrf(await alice.get(path))}


async def test_comments_wait_on_their_lines_and_are_sent_as_one_review(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    task = await site.task()
    pull = await propose_by(site.world, source, task)
    await site.tell(task, State.IN_PROGRESS, State.COMPLETED)
    path = f"/alice/hello/pulls/{pull.number}"
    proof = {"csrf": csrf(await alice.get(path))}
    added = await alice.post(path, data={**proof, **COMMENT})
    assert added.headers["location"] == f"{path}?said=comment#file-0"
    old = {**COMMENT, "side": "LEFT", "body": "It was **better**", "view": "split"}
    assert (
        "view=split#file-0" in (await alice.post(path, data={**proof, **old})).headers["location"]
    )
    for view in ("unified", "split"):
        page = (await alice.get(f"{path}?view={view}")).text
        assert page.count("not sent yet") == 2
        assert "<strong>better</strong>" in page
        assert "2 comments to be sent" in page

    sent = await alice.post(path, data={**proof, "verb": "review", "content": "Two remarks"})
    assert sent.headers["location"] == f"{path}?said=review#conversation"
    page = (await alice.get(sent.headers["location"])).text
    assert "not sent yet" not in page
    assert "Two remarks" in page
    assert "line 1 before the change" in page
    assert f"/alice/hello/agents/tasks/{task.id}" in page
    found = await site.world.parts.services.tasks.get(await site.world.principal("alice"), task.id)
    assert found.task.session.number == 2
    assert "It was **better**" in found.task.session.prompt


async def test_a_comment_is_taken_back(site: Site, alice: httpx.AsyncClient, source: Path) -> None:
    path, proof = await on_page(site, alice, source)
    await alice.post(path, data={**proof, **COMMENT})
    found = re.search(r'name="comment" value="(\d+)"', (await alice.get(path)).text)
    assert found is not None
    await alice.post(path, data={**proof, "verb": "discard", "comment": found[1]})
    assert "not sent yet" not in (await alice.get(path)).text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"line": "99"}, "no line &#39;99&#39;"),
        ({"line": "x"}, "no line &#39;x&#39;"),
        ({"path": "other.md"}, "that other.md has"),
        ({"body": " "}, "write between 1 and"),
        ({"verb": "burn"}, "nothing that can be done here"),
    ],
)
async def test_a_comment_that_fits_nowhere_says_why(
    site: Site, alice: httpx.AsyncClient, source: Path, wrong: dict[str, str], why: str
) -> None:
    path, proof = await on_page(site, alice, source)
    refused = await alice.post(path, data={**proof, **COMMENT, **wrong})
    assert refused.status_code == 422
    assert why in refused.text


async def test_what_was_typed_comes_back_with_the_reason(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    path, proof = await on_page(site, alice, source)
    typed = {**COMMENT, "line": "99", "body": "A long <thought>"}
    page = (await alice.post(path, data={**proof, **typed})).text
    assert "A long &lt;thought&gt;</textarea>" in page
    assert 'value="99"' in page
    review = await alice.post(path, data={**proof, "verb": "review", "content": "x" * 100_001})
    assert review.status_code == 422
    assert "x" * 100_001 in review.text


async def test_nothing_in_a_pull_request_is_markup(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    name = "<script>x.md"
    pull = await propose(site.world, source, "topic", **{name: f"{EVIL}\n\u202e\u200b\n"})
    path = f"/alice/hello/pulls/{pull.number}"
    proof = {"csrf": csrf(await alice.get(path))}
    added = await alice.post(path, data={**proof, **COMMENT, "path": name, "body": EVIL})
    assert added.status_code == 303, added.text
    await alice.post(path, data={**proof, "verb": "review", "content": EVIL})
    for view in ("unified", "split"):
        page = (await alice.get(f"{path}?view={view}")).text
        assert "<script>alert" not in page
        assert "<script>x" not in page
        assert not set(page) & set("\u202e\u200b")


async def test_a_reader_sees_the_conversation_and_no_form(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    path, proof = await on_page(site, alice, source)
    await alice.post(path, data={**proof, "verb": "review", "content": "Mend the title"})
    await site.world.administration.create_token("carol")
    await site.world.administration.grant("alice/hello", "carol", Permission.READ)
    page = (await (await site.logged_in("carol")).get(path)).text
    assert "Mend the title" in page
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]


async def test_it_is_closed_opened_and_merged(
    site: Site, alice: httpx.AsyncClient, source: Path
) -> None:
    path, proof = await on_page(site, alice, source)
    for verb, words in (
        ("close", "Open again"),
        ("reopen", "without conflicts"),
        ("merge", "by alice"),
    ):
        answer = await alice.post(path, data={**proof, "verb": verb})
        assert answer.status_code == 303, answer.text
        assert words in (await alice.get(path)).text
    again = await alice.post(path, data={**proof, "verb": "merge"})
    assert again.status_code == 422
    assert "not mergeable" in again.text
