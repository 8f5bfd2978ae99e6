"""What is kept of what was told, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Row

from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.repositories import Account, AccountType
from journeyman.domain.sessions import State
from journeyman.domain.triggers import Happening, Kind, Rules, Stage, Trigger
from journeyman.service.clock import utc_now
from journeyman.service.triggers import CLAIM, GATHER, GIVEN_UP, MOST_ATTEMPTS, Triggers
from journeyman.store import triggers
from tests.conftest import EACH_DATABASE, Clock, World
from tests.unit.service.work import bring, create, hold, ledger

pytestmark = EACH_DATABASE

AT = datetime(2026, 1, 2, tzinfo=UTC)
BOB = Account(7, "bob", AccountType.USER, False, AT)
SAID = Happening(
    Kind.COMMENT, 1, "alice", "hello", AT, BOB, number=3, id=5, body="@helper g\u00f6 \U0001f600"
)
FAILED = replace(SAID, kind=Kind.CHECKS, by=None, number=None, ref="topic", sha="a" * 40)
RULES = Rules("helper", repairs=1)


def kept(world: World, clock: Clock) -> Triggers:
    return Triggers(world.parts.database, RULES, clock=clock)


async def test_two_that_are_told_at_once_are_kept_once(world: World, clock: Clock) -> None:
    books = kept(world, clock)
    counts = await asyncio.gather(*(books.take([SAID, replace(SAID, id=6)]) for _ in range(4)))
    assert sum(counts) == 2


REVIEW = replace(
    SAID, kind=Kind.REVIEW, id=None, review_id=31, body="Not yet.\n\nSorry.", wants_changes=True
)
TOLD = replace(REVIEW, review_id=None, body="Not yet.\r\n\r\nSorry.", at=AT + timedelta(seconds=9))
"""The same by Gitea's webhook."""


async def test_a_review_counts_once_by_whichever_way_it_comes_first(
    world: World, clock: Clock
) -> None:
    books = kept(world, clock)
    line = replace(REVIEW, kind=Kind.REVIEW_COMMENT, body="@helper", id=8)
    assert await books.take([TOLD]) == 1
    assert await books.take([TOLD, REVIEW, line]) == 1, "the comment on a line"
    another = replace(REVIEW, review_id=32, at=AT + timedelta(seconds=20))
    assert await books.take([REVIEW, another]) == 1
    assert await books.take([replace(TOLD, at=AT + timedelta(seconds=21))]) == 0
    clock.advance(60)
    (waiting,) = await books.claim(8)
    assert [one.happening.review_id for one in waiting] == [31, 31, 32]
    for other in (
        replace(TOLD, body="Again not."),
        replace(TOLD, by=replace(BOB, id=8, login="eve")),
        replace(TOLD, number=4),
        replace(TOLD, at=AT + timedelta(hours=9)),
    ):
        assert await books.take([other]) == 1, other


async def test_a_review_is_looked_for_among_the_latest_reviews(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, read = kept(world, clock), list[Kind]()
    long_ago = [replace(REVIEW, review_id=id, at=clock.now) for id in (1, 2)]
    assert await books.take(long_ago) == 2
    clock.advance(7200)
    now = [replace(one, at=clock.now) for one in (SAID, replace(SAID, id=6), REVIEW)]
    assert await books.take(now) == 3
    decoded = triggers.to_trigger

    def counted(row: Row[Any]) -> Trigger:
        found = decoded(row)
        read.append(found.happening.kind)
        return found

    monkeypatch.setattr(triggers, "to_trigger", counted)
    assert await books.take([replace(TOLD, at=clock.now)]) == 0
    assert read == [Kind.REVIEW]


async def test_an_assignment_counts_once_however_its_time_is_told(
    world: World, clock: Clock
) -> None:
    books, given = kept(world, clock), replace(SAID, kind=Kind.ASSIGNED, id=None, names=("helper",))
    told = replace(given, names=("bob", "helper"), at=AT + timedelta(seconds=1))
    assert [await books.take([one]) for one in (given, told)] == [1, 0]
    assert await books.take([replace(given, at=AT + timedelta(minutes=1))]) == 1, "once more"


async def test_a_thread_is_one_workers_until_its_claim_runs_out(world: World, clock: Clock) -> None:
    books = kept(world, clock)
    await books.take([SAID])
    assert await books.claim(8) == [], "what follows within some seconds belongs to it"
    clock.advance(GATHER.total_seconds())
    ((claimed,),) = await books.claim(8)
    assert claimed.happening == SAID
    await books.take([replace(SAID, id=6)])
    clock.advance(GATHER.total_seconds())
    assert await books.claim(8) == [], "another worker is in this thread"
    clock.advance(CLAIM.total_seconds())
    (both,) = await books.claim(8)
    assert [one.happening.id for one in both] == [5, 6]


async def test_what_fails_is_tried_less_and_less_often_and_given_up(
    world: World, clock: Clock
) -> None:
    books, waits = kept(world, clock), list[float]()
    await books.take([SAID])
    for _ in range(MOST_ATTEMPTS):
        waited, step = 0.0, 10 if len(waits) < 4 else 300
        while not (claimed := await books.claim(8)):
            clock.advance(step)
            waited += step
        waits.append(waited)
        await books.put_off(claimed[0], "away")
    clock.advance(10**6)
    assert await books.claim(8) == []
    assert waits[1:4] == [10, 20, 40]
    assert max(waits) == 1800
    assert 20 * 3600 < sum(waits) < 48 * 3600
    (told,) = await books.claim_answers(8)
    assert (told.stage, told.attempts) == (Stage.REFUSED, 0)
    assert told.reason == f"away {GIVEN_UP}"
    for _ in range(MOST_ATTEMPTS):
        await books.put_off([told], "away")
        clock.advance(10**4)
        (told,) = await books.claim_answers(8) or [told]
    assert await books.claim_answers(8) == [], "it cannot be told either"


async def test_a_repair_that_is_given_up_is_told_to_nobody(world: World, clock: Clock) -> None:
    books = kept(world, clock)
    await books.take([FAILED])
    for _ in range(MOST_ATTEMPTS):
        clock.advance(10**4)
        await books.put_off((await books.claim(8))[0], "away")
    clock.advance(10**4)
    assert await books.claim(8) == []
    assert await books.claim_answers(8) == []


async def test_what_has_begun_counts_by_when_it_began(world: World, clock: Clock) -> None:
    books, database, hour = kept(world, clock), world.parts.database, timedelta(hours=1)
    await books.take([SAID, replace(SAID, id=6)])
    clock.now = utc_now() + 3 * hour
    (both,) = await books.claim(8)
    await books.hold(both, clock.now + hour, "ten have begun")
    assert await books.claim(8) == [], "held"
    clock.advance(hour.total_seconds())
    (both,) = await books.claim(8)
    assert [one.attempts for one in both] == [0, 0]
    task = await create(world)
    ids = {"task_id": task.id, "session_id": task.session.id}

    def begun(tx: Connection, since: datetime) -> list[datetime]:
        return list(triggers.begun_since(tx, "alice/hello#3", since))

    began = task.session.created_at
    assert await database.read(lambda tx: begun(tx, began)) == []
    known = [one.id for one in both]
    await database.write(lambda tx: triggers.settle(tx, known, Stage.WORKING, clock.now, **ids))
    assert await database.read(lambda tx: begun(tx, began)) == [began], "one session for both"
    assert await database.read(lambda tx: begun(tx, began + hour)) == []


async def test_who_is_to_be_told_and_of_what(world: World, clock: Clock) -> None:
    books, database = kept(world, clock), world.parts.database
    task = await create(world)
    await books.take([SAID])
    clock.advance(60)
    ((claimed,),) = await books.claim(8)

    async def settle(stage: Stage) -> None:
        session = (await hold(world, task)).session if stage is Stage.WORKING else task.session
        ids = {"task_id": task.id, "session_id": session.id}
        assert await database.write(
            lambda tx: triggers.settle(tx, [claimed.id], stage, clock.now, **ids)
        )

    await settle(Stage.WORKING)
    assert await books.claim_answers(8) == []
    held = await hold(world, task)
    assert await ledger(world).rest(held.session, State.WAITING_FOR_USER)
    (asking,) = await books.claim_answers(8)
    assert await books.claim_answers(8) == [], "claimed"
    await database.write(
        lambda tx: triggers.note_answer(tx, [asking.id], Stage.WORKING, clock.now, "asked 1")
    )
    assert await books.claim_answers(8) == [], "it has been asked"
    alice = await world.principal("alice")
    await world.parts.services.sessions.cancel(alice, task.id)
    (ended,) = await books.claim_answers(8)
    assert ended.id == claimed.id
    assert not await database.write(
        lambda tx: triggers.settle(tx, [claimed.id], Stage.IGNORED, clock.now)
    )


async def test_repairs_are_counted_since_somebody_asked(world: World, clock: Clock) -> None:
    database, task = world.parts.database, await create(world)
    counts = list[int]()
    told = [FAILED, replace(FAILED, sha="b" * 40), SAID, replace(FAILED, sha="c" * 40)]
    for number, one in enumerate(told):
        session_id = task.session.id
        if number:
            await bring(world, task, State.CANCELLED)
            alice = await world.principal("alice")
            task = await world.parts.services.sessions.steer(alice, task.id, "More")
            session_id = task.session.id
        await kept(world, clock).take([one])
        clock.advance(60)
        ((claimed,),) = await kept(world, clock).claim(8)
        ids = {"task_id": task.id, "session_id": session_id}

        def settle(tx: Connection) -> int:
            triggers.settle(tx, [claimed.id], Stage.WORKING, clock.now, **ids)  # noqa: B023
            return triggers.count_repairs(tx, task.id)  # noqa: B023

        counts.append(await database.write(settle))
    assert counts == [1, 2, 0, 1]


async def test_a_tasks_pull_request_is_found_by_branch_base_and_number(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    await ledger(world).add_artifact(held.session, PullArtifact(99, 12))
    repository_id, session = task.repository.id, task.session

    def look(tx: Connection) -> list[object]:
        return [
            triggers.tasks_with_pull(tx, repository_id, head_ref=session.head_ref),
            triggers.tasks_with_pull(tx, repository_id, base_ref="main"),
            triggers.tasks_with_pull(tx, repository_id, head_ref="other"),
            triggers.task_of_number(tx, repository_id, 12),
            triggers.task_of_number(tx, repository_id, 13),
            list(triggers.repositories_with_tasks(tx, 5)),
        ]

    own = [(task.id, 12)]
    found = await world.parts.database.read(look)
    assert found == [own, own, [], task.id, None, [repository_id]]


async def test_a_cursor_is_one_workers_at_a_time_and_old_triggers_go(
    world: World, clock: Clock
) -> None:
    database = world.parts.database
    later = clock.now.replace(year=2027)

    first = await database.write(
        lambda tx: triggers.claim_cursor(tx, "alice/hello", clock.now, later)
    )
    assert first == triggers.Cursor("alice/hello", None)
    again = await database.write(
        lambda tx: triggers.claim_cursor(tx, "alice/hello", clock.now, later)
    )
    assert again is None
    await database.write(lambda tx: triggers.keep_cursor(tx, "alice/hello", "here", clock.now))
    there = await database.write(
        lambda tx: triggers.claim_cursor(tx, "alice/hello", clock.now, later)
    )
    assert there == triggers.Cursor("alice/hello", "here")

    books = kept(world, clock)
    await books.take([SAID, replace(SAID, number=4, id=6)])
    clock.advance(60)
    settled, _ = await books.claim(8)
    await books.settle(settled, Stage.IGNORED, "no")
    removed = await database.write(lambda tx: triggers.remove_before(tx, before=later, most=10))
    assert removed == 1
