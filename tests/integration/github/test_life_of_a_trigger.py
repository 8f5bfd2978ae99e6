"""Webhook, task, pull request, review, follow-up, ready: with a worker, a sandbox and real git."""

from __future__ import annotations

import asyncio

import pytest

from journeyman import app
from journeyman.domain.sessions import State
from journeyman.domain.triggers import Stage
from tests.integration.forge.client import git
from tests.integration.github.site import URL, Site
from tests.peers.github.state import Review

pytestmark = [pytest.mark.npm, pytest.mark.sandbox, pytest.mark.engine]


async def ended(site: Site, session_count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            task = await site.task()
            if task.session_count == session_count and task.session.ended:
                assert task.session.state is State.COMPLETED, task.session.error
                return
            await asyncio.sleep(0.05)


async def test_from_a_mention_to_a_reviewed_pull_request(site: Site) -> None:
    repository, bob = site.service.repository, site.user("bob")
    async with app.working(site.service.parts, URL):
        issue = site.issue("It is too quiet.")
        await site.mention(issue, "@helper\n\n```sh\necho HELLO > loud.txt\n```")
        await site.act()
        await ended(site, 1)
        await site.act()
        (pull,) = repository.pulls
        assert (pull.user, pull.draft) == (site.machine, False)
        assert git(repository.bare, "show", f"{pull.head}:loud.txt") == "HELLO"
        (answer,) = site.answers(issue)
        assert f"@bob This is done: #{pull.number}." in answer

        review = Review(9, pull.number, bob, "Louder.", "CHANGES_REQUESTED")
        repository.reviews.append(review)
        line = site.line(pull, "Here:\n\n```sh\necho HELLO! > loud.txt\n```", review.id)
        await site.tell(site.hooks.review_comment(pull, line))
        await site.tell(site.hooks.review(pull, review))
        await site.act()
        await ended(site, 2)
        await site.act()
    assert git(repository.bare, "show", f"{pull.head}:loud.txt") == "HELLO!"
    assert repository.pulls == [pull]
    assert not pull.draft
    assert await site.stages() == [Stage.ANSWERED] * 2
    assert site.answers(pull)[-1].startswith("@bob This is done.")
    assert len(site.answers(issue)) == 1
