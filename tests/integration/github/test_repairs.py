"""A task's own pull request: reviews are worked on, failed checks and conflicts within bounds."""

from __future__ import annotations

import pytest

from journeyman.domain.sessions import State
from journeyman.domain.triggers import Stage
from tests.integration.github.site import Site
from tests.peers.github.state import CheckRun, Pull, Review

pytestmark = pytest.mark.npm


async def fail(site: Site, pull: Pull, conclusion: str | None = "failure") -> None:
    repository = site.service.repository
    sha = repository.tip(pull.head) or ""
    run = CheckRun(1, sha, "tests", conclusion, "2 failed: <!-- psst --> test_loud")
    repository.check_runs = [run]
    await site.tell(site.hooks.failed(pull.head, sha, site.user("bob")))


async def test_a_review_with_its_comments_is_one_follow_up(site: Site) -> None:
    pull, bob = await site.own(), site.user("bob")
    review = Review(site.service.github.state.new_id(), pull.number, bob, "", "CHANGES_REQUESTED")
    site.service.repository.reviews.append(review)
    lines = [site.line(pull, body, review.id) for body in ("Rename it.", "@helper split it.")]
    for line in lines:
        await site.tell(site.hooks.review_comment(pull, line))
    await site.tell(site.hooks.review(pull, review))
    await site.act()
    task = await site.task()
    assert (task.session_count, task.session.user_id) == (2, bob.id)
    assert task.session.prompt.count("Rename it.") == 1
    assert task.session.prompt.count("split it.") == 1
    await site.tell(site.hooks.review_comment(pull, site.line(pull, "@helper and", review.id)))
    await site.act()
    assert (await site.task()).session_count == 2


async def test_an_approval_and_a_review_of_a_stranger_start_nothing(site: Site) -> None:
    pull = await site.own()
    for by, state in (("bob", "APPROVED"), ("mallory", "CHANGES_REQUESTED")):
        review = Review(site.service.github.state.new_id(), pull.number, site.user(by), "", state)
        await site.tell(site.hooks.review(pull, review))
    await site.act()
    assert (await site.task()).session_count == 1


async def test_changes_wanted_of_somebody_else_are_left_to_them(site: Site) -> None:
    pull, bob = site.pull("topic"), site.user("bob")
    review = Review(9, pull.number, bob, "Rename it.", "CHANGES_REQUESTED")
    await site.tell(site.hooks.review(pull, review))
    await site.act()
    assert await site.tasks() == []
    assert await site.stages() == [Stage.IGNORED]


async def test_failed_checks_begin_as_many_sessions_as_allowed(site: Site) -> None:
    pull = await site.own()
    await fail(site, pull)
    await site.act()
    task = await site.task()
    assert (task.session_count, task.session.user_id) == (2, site.user("bob").id)
    assert "tests (failure) https://ci.test/1\n> tests\n> 2 failed:  test_loud" in (
        task.session.prompt
    )
    await site.bring(State.COMPLETED)
    await site.act()
    assert len(site.answers(pull)) == 1
    repository = site.service.repository
    site.service.github.state.branch(repository, pull.head, "main")
    await fail(site, pull)
    await site.act()
    assert (await site.task()).session_count == 2
    assert (await site.kept())[-1].reason == "1 repairs have been tried"
    await site.mention(pull, "@helper try again")
    await site.act()
    await site.bring(State.COMPLETED)
    site.service.github.state.branch(repository, pull.head, "topic^")
    await fail(site, pull)
    await site.act()
    assert (await site.task()).session_count == 4, "somebody has asked: it may try anew"


async def test_checks_are_waited_for_and_old_ones_are_nothing(site: Site) -> None:
    pull = await site.own()
    await fail(site, pull, None)
    await site.act()
    assert (await site.stages())[-1] is Stage.WAITING
    site.service.repository.check_runs[0].conclusion = "success"
    await site.act()
    assert (await site.kept())[-1].reason == "no check has failed in the end"
    stranger = site.pull("topic")
    await fail(site, stranger)
    await site.act()
    assert (await site.task()).session_count == 1


async def test_a_conflict_with_the_base_is_mended(site: Site) -> None:
    pull, bob = await site.own(), site.user("bob")
    pull.mergeable = None
    await site.tell(site.hooks.pushed("main", "c" * 40, bob))
    await site.act()
    await site.act()
    assert (await site.stages())[-1] is Stage.WAITING, "GitHub does not know yet"
    pull.mergeable = False
    await site.act()
    task = await site.task()
    assert task.session_count == 2
    assert "has conflicts with `main`" in task.session.prompt
    await site.tell(site.hooks.pushed("elsewhere", "d" * 40, bob))
    await site.act()
    assert (await site.task()).session_count == 2
