"""Asking GitHub what has happened finds what a webhook would have told."""

from __future__ import annotations

import pytest

from journeyman.domain.triggers import Kind, Stage
from journeyman.worker.starter import Starter
from tests.integration.github.site import Site
from tests.peers.faulty import Fault
from tests.peers.github.state import IssueEvent, Review

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
