"""Asking GitHub what has happened finds what a webhook would have told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from journeyman.domain.triggers import Kind, Stage
from journeyman.forge.rest import PAGE
from journeyman.worker.starter import Starter
from tests.integration.github.site import Site
from tests.peers.faulty import Fault
from tests.peers.github.state import CheckRun, Issue, IssueEvent, Review

pytestmark = pytest.mark.npm

EVERY = 60


async def ask(site: Site, starter: Starter) -> None:
    """As the next round does."""
    site.clock.advance(EVERY + 1)
    assert starter._polling is not None
    await starter._polling.ask()


@pytest.fixture
async def asking(site: Site) -> Starter:
    """One that has asked once, when there was something old already."""
    made = site.worker(site.service.parts.forge, poll_seconds=EVERY)
    await ask(site, made)
    return made


async def test_what_is_found_is_what_a_webhook_would_tell(site: Site, asking: Starter) -> None:
    state, repository = site.service.github.state, site.service.repository
    bob, issue, pull = site.user("bob"), site.issue("@helper go", by="bob"), site.pull("topic")
    said = site.comment(issue, "@helper go")
    line = site.line(pull, "@helper go", 5)
    review = Review(6, pull.number, bob, "Rename it.", "CHANGES_REQUESTED")
    repository.reviews.append(review)
    repository.events.append(IssueEvent(state.new_id(), issue, bob, "assigned", "helper"))
    repository.events.append(IssueEvent(state.new_id(), issue, bob, "labeled", "agent"))
    await ask(site, asking)
    kept = await site.kept()
    assert {one.happening.kind for one in kept} == {
        Kind.ISSUE,
        Kind.COMMENT,
        Kind.REVIEW_COMMENT,
        Kind.REVIEW,
        Kind.ASSIGNED,
        Kind.LABELED,
    }
    assert {one.happening.by.id for one in kept if one.happening.by} == {bob.id}
    for told in (
        site.hooks.comment(issue, said),
        site.hooks.review_comment(pull, line),
        site.hooks.review(pull, review),
        site.hooks.issue("opened", issue, bob),
    ):
        assert (await site.tell(told)).json() == {"kept": 0}, told[0]
    await ask(site, asking)
    assert len(await site.kept()) == len(kept)


async def test_it_costs_nothing_while_nothing_is_new(site: Site, asking: Starter) -> None:
    await ask(site, asking)
    before = site.service.github.unchanged
    await ask(site, asking)
    assert site.service.github.unchanged == before + 4
    assert await site.kept() == []


async def test_no_assignment_is_missed_behind_many_other_events(
    site: Site, asking: Starter
) -> None:
    state, repository, bob = site.service.github.state, site.service.repository, site.user("bob")
    issue = site.issue()
    repository.events.append(IssueEvent(state.new_id(), issue, bob, "assigned", "helper"))
    for _ in range(PAGE + 20):
        repository.events.append(IssueEvent(state.new_id(), issue, bob, "unlabeled", "bug"))
    await ask(site, asking)
    assert [one.happening.kind for one in await site.kept()] == [Kind.ASSIGNED]
    before = len(site.service.github.asked("GET .*/issues/events$"))
    repository.events.append(IssueEvent(state.new_id(), issue, bob, "labeled", "agent"))
    await ask(site, asking)
    assert len(await site.kept()) == 2
    assert len(site.service.github.asked("GET .*/issues/events$")) == before + 1


async def test_what_was_said_before_the_last_page_and_edited_since_is_heard(
    site: Site, asking: Starter
) -> None:
    issue = site.issue()
    early = site.comment(issue, "@helper go")
    early.created_at -= timedelta(seconds=30)
    early.edited_at = early.created_at + timedelta(hours=1)
    for _ in range(PAGE):
        site.comment(issue, "Hm.")
    await ask(site, asking)
    assert await site.kept() == []
    for _ in range(2):  # what was said in one second fills a page
        await ask(site, asking)
    assert [one.happening.id for one in await site.kept()] == [early.id]


async def test_a_mention_that_is_found_becomes_a_task(site: Site, asking: Starter) -> None:
    issue = site.issue("Be loud.", by="bob")
    site.comment(issue, "@helper go")
    await ask(site, asking)
    await site.act()
    assert (await site.task()).creator_id == site.user("bob").id
    assert await site.stages() == [Stage.WORKING]


async def test_nothing_is_missed_while_github_is_away(site: Site, asking: Starter) -> None:
    issue = site.issue(by="bob")
    site.comment(issue, "@helper go")
    site.service.github.faults.append(Fault("GET .*/issues/comments", 502, times=3))
    await ask(site, asking)
    assert await site.kept() == []
    await ask(site, asking)
    assert await site.stages() == [Stage.WAITING]


async def test_two_workers_ask_once(site: Site, asking: Starter) -> None:
    other = site.worker(site.service.parts.forge, poll_seconds=EVERY)
    before = len(site.service.github.asked("GET .*/issues/comments"))
    await ask(site, asking)
    assert other._polling is not None
    await other._polling.ask()
    assert len(site.service.github.asked("GET .*/issues/comments")) == before + 1


async def test_failed_checks_and_conflicts_of_a_task_s_own_are_found(
    site: Site, asking: Starter
) -> None:
    pull, known = await site.own(), site.service.repository
    sha = known.tip(pull.head) or ""
    await ask(site, asking)
    before = await site.kept()
    run = CheckRun(1, sha, "tests", None)
    known.check_runs = [run]
    await ask(site, asking)
    assert await site.kept() == before, "it may still pass"
    run.conclusion, pull.mergeable = "failure", False
    for _ in range(2):
        await ask(site, asking)
    found = [one.happening for one in (await site.kept())[len(before) :]]
    assert [(one.kind, one.ref, one.sha) for one in found] == [
        (Kind.CONFLICT, "main", sha),
        (Kind.CHECKS, pull.head, sha),
    ]
    told = await site.tell(site.hooks.failed(pull.head, sha, site.user("bob")))
    assert told.json() == {"kept": 0}
    await site.act()
    task = await site.task()
    assert task.session_count == 2, "one repair, for one of the two"
    asked = len(site.service.github.asked(f"GET .*/pulls/{pull.number}$"))
    await ask(site, asking)
    assert len(site.service.github.asked(f"GET .*/pulls/{pull.number}$")) == asked, "it is at work"


async def test_a_pull_request_that_is_gone_hides_no_other(site: Site, asking: Starter) -> None:
    pull, known = await site.own(), site.service.repository
    known.pulls.remove(pull)
    known.issues.append(Issue(pull.number, site.user("bob"), "In its place", ""))
    site.comment(site.issue("", by="bob"), "@helper go")
    before = len(await site.kept())
    await ask(site, asking)
    assert [one.happening.kind for one in (await site.kept())[before:]] == [Kind.COMMENT]
    assert len(site.service.github.asked(f"GET .*/pulls/{pull.number}$")) == 1


async def test_looking_again_at_a_task_s_own_costs_nothing(site: Site, asking: Starter) -> None:
    await site.own()
    for _ in range(2):
        await ask(site, asking)
    before = site.service.github.unchanged
    await ask(site, asking)
    assert site.service.github.unchanged == before + 6


async def test_a_repository_without_issues_holds_up_nothing(site: Site, asking: Starter) -> None:
    site.comment(site.issue("", by="bob"), "@helper go")
    site.service.github.faults = [Fault("GET .*/issues$", 410)]
    await ask(site, asking)
    assert await site.kept() == []
    await ask(site, asking)
    assert [one.happening.kind for one in await site.kept()] == [Kind.COMMENT]
