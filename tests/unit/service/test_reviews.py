"""Comments on the lines of a pull request, and the session they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from journeyman.domain.audit import AuditQuery
from journeyman.domain.errors import AppError, Code
from journeyman.domain.repositories import Permission
from journeyman.domain.reviews import BODY_LIMIT, NewComment, Side
from journeyman.domain.sessions import State
from journeyman.service.pulls import PullEdit
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.proposed import propose, propose_by
from tests.unit.service.work import bring, create, find


def on_line(line: int = 1, body: str = "Say more", **more: Any) -> NewComment:
    told: dict[str, Any] = {"path": "README.md", "side": Side.RIGHT, "text": "# hi", **more}
    return NewComment(line=line, body=body, **told)


@EACH_DATABASE
async def test_comments_wait_for_their_writer_and_are_sent_together(
    world: World, source: Path
) -> None:
    task = await create(world)
    pull = await propose_by(world, source, task)
    await bring(world, task, State.COMPLETED)
    reviews, alice = world.parts.services.reviews, await world.principal("alice")
    access, number = await world.access("alice"), pull.number
    await reviews.comment(alice, access, number, on_line(1))
    await reviews.comment(alice, access, number, on_line(7, "Why?", side=Side.LEFT))
    seen_by_bob = await reviews.list(await world.principal("bob"), access, number)
    assert seen_by_bob.pending == ()
    await reviews.comment(alice, access, number, on_line(9, "Never mind"))
    pending = (await reviews.list(alice, access, number)).pending
    await reviews.discard(alice, access, number, pending[-1].id)
    await reviews.discard(alice, access, number, pending[-1].id)
    pending = (await reviews.list(alice, access, number)).pending
    assert [comment.line for comment in pending] == [1, 7]

    sent_to = await reviews.send(alice, access, number, "Nearly there.")
    assert (sent_to.id, sent_to.session.number) == (task.id, 2)
    assert sent_to.session.head_ref == task.session.head_ref
    assert sent_to.session.state is State.QUEUED
    prompt = sent_to.session.prompt
    assert f"review of pull request #{number}" in prompt
    assert "Nearly there." in prompt
    assert "`README.md`, line 1:\n\n> # hi\n\nSay more" in prompt
    assert "`README.md`, line 7, as it was before the change:" in prompt
    kinds = frozenset({"pull_request_review", "pull_request_review_comment"})
    entries, _ = await world.parts.services.audit.all(AuditQuery(actions=kinds))
    told = [entry.action.removeprefix("pull_request_review") for entry in entries]
    assert told == [".submit", "_comment.delete", *["_comment.create"] * 3]
    assert entries[0].data["comments"] == 2
    assert "Why?" not in str(entries)

    said = await reviews.list(await world.principal("bob"), access, number)
    (review,) = said.reviews
    assert (review.login, review.body, review.task_id) == ("alice", "Nearly there.", task.id)
    assert [comment.body for comment in review.comments] == ["Say more", "Why?"]
    assert (await reviews.list(alice, access, number)).pending == ()


@EACH_DATABASE
async def test_a_review_of_work_that_goes_on_is_a_message_to_it(world: World, source: Path) -> None:
    task = await create(world)
    pull = await propose_by(world, source, task)
    await bring(world, task, State.IN_PROGRESS)
    reviews, alice = world.parts.services.reviews, await world.principal("alice")
    sent_to = await reviews.send(alice, await world.access("alice"), pull.number, "Use tabs")
    assert (sent_to.id, sent_to.session_count) == (task.id, 1)


@EACH_DATABASE
async def test_a_persons_pull_request_gets_a_task_on_its_branch(world: World, source: Path) -> None:
    pull = await propose(world, source)
    reviews, bob = world.parts.services.reviews, await world.principal("bob")
    made = await reviews.send(bob, await world.access("bob"), pull.number, "Mend the title")
    assert (made.session.head_ref, made.session.base_ref) == ("topic", "main")
    assert made.session.on_existing_branch
    assert not made.session.create_pull_request
    said = await reviews.list(bob, await world.access("bob"), pull.number)
    assert [review.task_id for review in said.reviews] == [made.id]


@EACH_DATABASE
async def test_what_cannot_be_sent_stays_written(world: World, source: Path) -> None:
    task = await create(world)
    pull = await propose_by(world, source, task)
    await bring(world, task, State.COMPLETED)
    alice, access = await world.principal("alice"), await world.access("alice")
    services = world.parts.services
    await services.reviews.comment(alice, access, pull.number, on_line())
    await services.tasks.archive(alice, task.id, True)
    with pytest.raises(AppError, match="archived") as refused:
        await services.reviews.send(alice, access, pull.number, "")
    assert refused.value.code is Code.CONFLICT
    said = await services.reviews.list(alice, access, pull.number)
    assert (len(said.pending), said.reviews) == (1, ())
    assert (await find(world, task.id)).session_count == 1


@EACH_DATABASE
async def test_ones_own_waiting_comment_is_taken_back(world: World, source: Path) -> None:
    pull = await propose(world, source)
    reviews = world.parts.services.reviews
    alice, bob, access = (
        await world.principal("alice"),
        await world.principal("bob"),
        await world.access("alice"),
    )
    await reviews.comment(alice, access, pull.number, on_line())
    (pending,) = (await reviews.list(alice, access, pull.number)).pending
    await reviews.discard(bob, access, pull.number, pending.id)
    assert len((await reviews.list(alice, access, pull.number)).pending) == 1
    await reviews.discard(alice, access, pull.number, pending.id)
    await reviews.discard(alice, access, pull.number, pending.id)
    assert (await reviews.list(alice, access, pull.number)).pending == ()


@EACH_DATABASE
async def test_nothing_cannot_be_sent(world: World, source: Path) -> None:
    pull = await propose(world, source)
    with pytest.raises(AppError, match="Say what should change"):
        await world.parts.services.reviews.send(
            await world.principal("alice"), await world.access("alice"), pull.number, " "
        )


@EACH_DATABASE
async def test_a_closed_pull_request_is_worked_on_no_more(world: World, source: Path) -> None:
    pull = await propose(world, source)
    services = world.parts.services
    alice, access = await world.principal("alice"), await world.access("alice")

    await services.pulls.update(alice, access, pull.number, PullEdit(open=False))
    with pytest.raises(AppError, match="is closed"):
        await services.reviews.comment(alice, access, pull.number, on_line())
    with pytest.raises(AppError, match="is closed"):
        await services.reviews.send(alice, access, pull.number, "More")


@EACH_DATABASE
async def test_a_reader_may_not_comment(world: World, source: Path) -> None:

    pull = await propose(world, source)
    await world.administration.grant("alice/hello", "mallory", Permission.READ)
    mallory, access = await world.principal("mallory"), await world.access("mallory")
    for refused in (
        world.parts.services.reviews.comment(mallory, access, pull.number, on_line()),
        world.parts.services.reviews.send(mallory, access, pull.number, "More"),
    ):
        with pytest.raises(AppError, match="write access"):
            await refused


@pytest.mark.parametrize(
    "wrong",
    [{"body": " "}, {"body": "x" * (BODY_LIMIT + 1)}, {"path": ""}, {"line": 0}, {"line": 10**9}],
)
def test_a_comment_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AppError) as refused:
        on_line(**wrong)
    assert refused.value.code is Code.INVALID
