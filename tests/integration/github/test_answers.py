"""What Journeyman says where it was asked: once, whatever dies when."""

from __future__ import annotations

import pytest

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import State
from journeyman.domain.triggers import Stage
from journeyman.service.answering import groups
from journeyman.store import triggers
from tests.integration.github.site import URL, Site
from tests.peers.faulty import Fault
from tests.peers.github.state import Issue

pytestmark = pytest.mark.npm

SAID = NewEvent(EventType.MESSAGE, {"messageId": "1", "content": "It is loud now, @mallory."})
ASKED = NewEvent(
    EventType.INPUT_REQUESTED, {"requestId": "1", "question": "How loud?", "choices": ["9", "11"]}
)


async def begun(site: Site) -> Issue:
    issue = site.issue()
    await site.mention(issue)
    await site.act()
    return issue


async def test_the_end_is_told_with_the_pull_request(site: Site) -> None:
    issue = await begun(site)
    pull = site.pull("topic", by="helper")
    task = await site.bring(State.COMPLETED, pull=pull, said=SAID)
    for _ in range(3):
        await site.act()
    (answer,) = site.answers(issue)
    assert answer.startswith(f"@bob This is done: #{pull.number}.")
    assert "It is loud now, @\u200bmallory." in answer
    assert f"[Log]({URL}/octo/app/agents/tasks/{task.id})" in answer
    assert await site.stages() == [Stage.ANSWERED]


@pytest.mark.parametrize("after", [False, True])
async def test_an_answer_that_gets_lost_is_given_once(site: Site, after: bool) -> None:
    """*after*: only what GitHub replies is lost."""
    issue = await begun(site)
    await site.bring(State.FAILED, message="The tests do not run.")
    fault = Fault(r"POST .*/issues/\d+/comments", 502, after=after)
    site.service.github.faults.append(fault)
    await site.act()
    assert await site.stages() == [Stage.WORKING]
    await site.act()
    (answer,) = site.answers(issue)
    assert "has failed" in answer
    assert "The tests do not run." in answer
    assert await site.stages() == [Stage.ANSWERED]


async def test_a_worker_that_dies_before_it_has_noted_its_answer_gives_no_second(
    site: Site,
) -> None:
    issue = await begun(site)
    await site.bring(State.COMPLETED)
    claimed = await site.triggers.claim_answers(8)
    (group,) = groups(claimed)
    await site.starter._answering.tell(group)
    database = site.service.parts.database
    await database.write(
        lambda tx: triggers.note_answer(tx, [claimed[0].id], Stage.WORKING, site.clock.now, "")
    )
    await site.act()
    assert len(site.answers(issue)) == 1
    assert await site.stages() == [Stage.ANSWERED]


async def test_a_question_is_asked_where_it_was_begun_and_answered_there(site: Site) -> None:
    issue = await begun(site)
    await site.bring(State.WAITING_FOR_USER, said=ASKED)
    await site.act()
    await site.act()
    (question,) = site.answers(issue)
    assert "I have a question" in question
    assert "> How loud?\n> - 9\n> - 11" in question
    await site.mention(issue, "@helper 11, of course")
    await site.act()
    task = await site.task()
    assert (task.session.state, task.session_count) == (State.QUEUED, 1)
    assert "11, of course" in (await site.prompts(task.session))[-1]
    await site.bring(State.COMPLETED)
    await site.act()
    assert len(site.answers(issue)) == 2
    assert await site.stages() == [Stage.ANSWERED] * 2


async def test_work_that_is_out_of_budget_says_so_and_goes_on_when_told(site: Site) -> None:
    issue = await begun(site)
    await site.bring(State.IDLE, message="100 credits are used up.")
    await site.act()
    await site.act()
    (said,) = site.answers(issue)
    assert "The work rests" in said
    assert "100 credits are used up." in said
    await site.mention(issue, "@helper go on")
    await site.act()
    assert (await site.task()).session.state is State.QUEUED
